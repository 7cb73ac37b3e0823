"""Single files: their history, differences, origins, earlier versions; tags and names of commits."""

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from services.runtime.identity import Role
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.standins.git_http import git

PERSON = common_pb2.Person(name="Ada", email="ada@lockstep.invalid")


def move(bare: Path, old: str, new: str, message: str = "move") -> str:
    """Let somebody else rename a file; give the commit."""
    work = bare.parent / f"{bare.stem}-work"
    git(work, "checkout", "-q", "-B", "main", "origin/main")
    (work / new).parent.mkdir(parents=True, exist_ok=True)
    git(work, "mv", "--", old, new)
    git(work, "commit", "-q", "-m", message)
    git(work, "push", "-q", "origin", "HEAD:main")
    return git(work, "rev-parse", "HEAD")


def history(
    stub: git_pb2_grpc.GitServiceStub, commit: str, path: str | bytes, size: int = 0, token: str = ""
) -> git_pb2.ListPathHistoryResponse:
    """Give a page of a file's history."""
    name = path.encode() if isinstance(path, str) else path
    request = git_pb2.ListPathHistoryRequest(
        workspace_id=WORKSPACE, commit_oid=commit, path=name, page_size=size, page_token=token
    )
    return stub.ListPathHistory(request, metadata=META)


def diff(stub: git_pb2_grpc.GitServiceStub, **fields: Any) -> tuple[bytes, bool]:
    """Give a whole diff, and whether it was cut off."""
    request = git_pb2.DiffRequest(workspace_id=WORKSPACE, **fields)
    answers = list(stub.Diff(request, metadata=META))
    assert all(len(answer.data) <= 1024 * 1024 for answer in answers)
    return b"".join(answer.data for answer in answers), bool(answers) and answers[-1].truncated


def blame(
    stub: git_pb2_grpc.GitServiceStub, commit: str, path: str, first: int = 0, last: int = 0
) -> list[git_pb2.BlameHunk]:
    """Give the origins of a file's lines."""
    request = git_pb2.BlameRequest(
        workspace_id=WORKSPACE, commit_oid=commit, path=path.encode(), first_line=first, last_line=last
    )
    return [hunk for answer in stub.Blame(request, metadata=META) for hunk in answer.hunks]


def resolve(stub: git_pb2_grpc.GitServiceStub, revision: str) -> str:
    """Give the commit that a name stands for."""
    request = git_pb2.ResolveRevisionRequest(workspace_id=WORKSPACE, revision=revision)
    return stub.ResolveRevision(request, metadata=META).commit_oid


def test_history_follows_a_file_through_its_renames(service: Service, remote: Path) -> None:
    """Each version says what the file was called, what it was before a rename, and which blob it was."""
    stub = service.stub()
    added = commit_file(remote, "records/odd ü.json", "a\nb\nc\nd\ne\n")
    moved = move(remote, "records/odd ü.json", "data/[x]*.json")
    changed = commit_file(remote, "data/[x]*.json", "a\nb\nc\nd\ne\nf\n")
    commit_file(remote, "data/other.json", "x")
    head = git(remote, "rev-parse", "main")
    versions = history(stub, head, "data/[x]*.json").versions
    assert [version.commit.oid for version in versions] == [changed, moved, added]
    assert [version.kind for version in versions] == [
        git_pb2.CHANGE_KIND_MODIFIED,
        git_pb2.CHANGE_KIND_RENAMED,
        git_pb2.CHANGE_KIND_ADDED,
    ]
    assert [version.path.decode() for version in versions] == ["data/[x]*.json"] * 2 + ["records/odd ü.json"]
    assert versions[1].old_path.decode() == "records/odd ü.json"
    assert versions[0].blob_oid == git(remote, "rev-parse", "main:data/[x]*.json")
    assert versions[0].commit.committer.email == "tests@lockstep.invalid"


def test_history_comes_in_pages_and_a_deletion_is_a_version(service: Service, remote: Path) -> None:
    """Pages join without a gap across a rename; a deleted file still has its history; an unknown one has none."""
    stub = service.stub()
    work = remote.parent / "records-work"
    for number in range(3):
        commit_file(remote, "a.txt", f"{number}\n" * 5 + "same\n" * 20)
    move(remote, "a.txt", "b.txt")
    git(work, "rm", "-q", "b.txt")
    git(work, "commit", "-q", "-m", "gone")
    git(work, "push", "-q", "origin", "HEAD:main")
    head = git(remote, "rev-parse", "main")
    whole = history(stub, head, "b.txt").versions
    assert [version.kind for version in whole][:2] == [git_pb2.CHANGE_KIND_DELETED, git_pb2.CHANGE_KIND_RENAMED]
    assert (len(whole), whole[0].blob_oid) == (5, "")
    pages, token = [], ""
    while True:
        page = history(stub, head, "b.txt", 2, token)
        pages += list(page.versions)
        token = page.next_page_token
        if not token:
            break
    assert pages == list(whole)
    with pytest.raises(errors.NotFoundError):
        history(stub, head, "never/was.txt")


def test_a_diff_between_commits_is_gits_own(service: Service, remote: Path) -> None:
    """It applies with `git apply`, can be narrowed to paths, and shows a rename as one where that is asked for."""
    stub = service.stub()
    old = git(remote, "rev-parse", "main")
    commit_file(remote, "records/r1.json", '{"id": 1,\n "name": "ü"}\n')
    new = move(remote, "README.md", "LIESMICH ü.md")
    patch, cut = diff(stub, old_oid=old, new_oid=new)
    work = remote.parent / "patched"
    git(remote.parent, "clone", "-q", remote, work)
    git(work, "checkout", "-q", old)
    subprocess.run(["git", "apply", "--index", "-"], cwd=work, input=patch, check=True)
    assert (git(work, "write-tree"), cut) == (git(remote, "rev-parse", f"{new}^{{tree}}"), False)
    assert "b/LIESMICH ü.md".encode() in patch
    narrow, _ = diff(stub, old_oid=old, new_oid=new, paths=[b"records"])
    assert b"README" not in narrow
    assert b"r1.json" in narrow
    renamed, _ = diff(stub, old_oid=old, new_oid=new, find_renames=True, context_lines=0)
    assert b"rename from README.md" in renamed
    assert diff(stub, old_oid=new, new_oid=new) == (b"", False)
    assert diff(stub, new_oid=old)[0].count(b"new file mode") == 4


def test_a_diff_that_is_too_long_is_cut_and_says_so(service: Service, remote: Path) -> None:
    """Nobody gets more than asked for; what comes is the beginning."""
    stub = service.stub()
    old = git(remote, "rev-parse", "main")
    new = commit_file(remote, "big.txt", "".join(f"line {number}\n" for number in range(200_000)))
    whole, cut = diff(stub, old_oid=old, new_oid=new)
    assert (len(whole) > 2_000_000, cut) == (True, False)
    part, cut = diff(stub, old_oid=old, new_oid=new, max_bytes=600_000)
    assert (part, cut) == (whole[:600_000], True)


def test_a_commit_is_compared_with_content_and_the_mirror_stays_as_it_is(service: Service, remote: Path) -> None:
    """Changed, new and removed files give git's diff; no object of it is in the mirror afterwards."""
    stub = service.stub()
    head = fetch(stub).new_oid
    before = git(service.mirror(), "count-objects", "-v")
    edit = git_pb2.TreeEdit(path=b"records/r1.json", content=b'{"id": 7}\n')
    patch, _ = diff(stub, old_oid=head, content=edit)
    assert patch.endswith(b'@@ -1 +1 @@\n-{"id": 1}\n+{"id": 7}\n')
    patch, _ = diff(stub, old_oid=head, content=git_pb2.TreeEdit(path=b"records/new/x.json", content=b"1\n"))
    assert b"new file mode 100644" in patch
    patch, _ = diff(stub, old_oid=head, content=git_pb2.TreeEdit(path=b"README.md", delete=True))
    assert b"deleted file mode 100644" in patch
    assert diff(stub, old_oid=head, content=git_pb2.TreeEdit(path=b"README.md", content=b"version 2\n")) == (b"", False)
    assert git(service.mirror(), "count-objects", "-v") == before


def test_blame_names_the_commit_of_each_line_through_a_rename(service: Service, remote: Path) -> None:
    """Lines keep their origin when the file moves; numbers count in the file asked for and in the original."""
    stub = service.stub()
    first = commit_file(remote, "a\tb.txt", "one\ntwo\nthree\nfour\n")
    move(remote, "a\tb.txt", "c.txt")
    second = commit_file(remote, "c.txt", "one\nzwei\nthree\nfour\n")
    hunks = blame(stub, second, "c.txt")
    assert [(h.commit_oid, h.first_line, list(h.lines)) for h in hunks] == [
        (first, 1, [b"one"]),
        (second, 2, [b"zwei"]),
        (first, 3, [b"three", b"four"]),
    ]
    assert (hunks[0].path, hunks[1].path, hunks[2].original_line) == (b"a\tb.txt", b"c.txt", 3)
    assert (hunks[1].summary, hunks[1].author.name) == ("change c.txt", "Tests")
    assert [h.first_line for h in blame(stub, second, "c.txt", 2, 3)] == [2, 3]


def test_blame_of_a_long_file_comes_in_pieces_that_fit(service: Service, remote: Path) -> None:
    """One hunk of many lines is cut; put together again it is the file."""
    stub = service.stub()
    content = "".join(f"line {number} {'x' * 60}\n" for number in range(40_000))
    head = commit_file(remote, "long.txt", content)
    request = git_pb2.BlameRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"long.txt")
    answers = list(stub.Blame(request, metadata=META))
    assert len(answers) > 2
    assert max(answer.ByteSize() for answer in answers) <= 1024 * 1024
    hunks = [hunk for answer in answers for hunk in answer.hunks]
    assert b"".join(line + b"\n" for hunk in hunks for line in hunk.lines).decode() == content
    assert all(later.first_line == hunk.first_line + len(hunk.lines) for hunk, later in itertools.pairwise(hunks))


def test_blame_of_no_file_or_of_lines_it_has_not_says_so(service: Service, remote: Path) -> None:
    """A missing file, lines past the end and lines in the wrong order are told apart; an empty file has none."""
    stub = service.stub()
    head = commit_file(remote, "empty.txt", "")
    assert blame(stub, head, "empty.txt") == []
    with pytest.raises(errors.NotFoundError):
        blame(stub, head, "missing.txt")
    with pytest.raises(errors.InvalidInputError, match="only 1 line"):
        blame(stub, head, "README.md", 5, 6)
    with pytest.raises(errors.InvalidInputError):
        blame(stub, head, "README.md", 3, 2)


def test_a_name_stands_for_a_commit(service: Service, remote: Path) -> None:
    """Nothing, a whole name, its beginning, a branch and both kinds of tag are found; others are not."""
    stub = service.stub()
    head = git(remote, "rev-parse", "main")
    old = git(remote, "rev-parse", "main~1")
    git(remote, "tag", "light", old)
    git(remote, "tag", "-a", "-m", "the first", "v1.0", old)
    git(remote, "branch", "work/x", old)
    assert resolve(stub, "") == head
    assert [resolve(stub, name) for name in (old, old[:8], "light", "v1.0", "work/x", "main")] == [old] * 5 + [head]
    for name in ("nope", "abcdef0", "f" * 39):
        with pytest.raises(errors.NotFoundError):
            resolve(stub, name)
    with pytest.raises(errors.StateError):
        resolve(stub, "f" * 40)
    for name in ("-x", "main..x", "HEAD", "refs/heads/main", "main^", "a b"):
        with pytest.raises(errors.InvalidInputError):
            resolve(stub, name)


def test_tags_are_read_from_the_remote_with_what_they_say(service: Service, remote: Path) -> None:
    """Names and commits come in pages without a fetch; annotations where they are asked for."""
    stub = service.stub()
    head = git(remote, "rev-parse", "main")
    git(remote, "tag", "a-light", head)
    git(remote, "tag", "-a", "-m", "the first\n\nof many", "b/v1", head)
    git(remote, "tag", "c-light", f"{head}~1")

    def tags(token: str = "", *, words: bool = False, size: int = 0) -> git_pb2.ListTagsResponse:
        request = git_pb2.ListTagsRequest(
            workspace_id=WORKSPACE, with_annotations=words, page_size=size, page_token=token
        )
        return stub.ListTags(request, metadata=META)

    plain = tags()
    assert [tag.name for tag in plain.tags] == [b"a-light", b"b/v1", b"c-light"]
    assert [tag.target_oid for tag in plain.tags] == [head, head, git(remote, "rev-parse", "main~1")]
    assert [bool(tag.tag_oid) for tag in plain.tags] == [False, True, False]
    assert not service.mirror().exists()
    told = tags(words=True).tags[1]
    assert (told.tagger.name, told.message) == ("Tests", "the first\n\nof many\n")
    assert told.time > 1_600_000_000
    first = tags(size=2)
    assert [tag.name for tag in tags(first.next_page_token, size=2).tags] == [b"c-light"]
    with pytest.raises(errors.InvalidInputError):
        tags("nonsense")


def restore(
    stub: git_pb2_grpc.GitServiceStub, base: str, old: str, path: bytes, **fields: Any
) -> git_pb2.RestorePathResponse:
    """Put a path back to what it was."""
    request = git_pb2.RestorePathRequest(
        workspace_id=WORKSPACE, base_oid=base, from_oid=old, path=path, author=PERSON, time=1_700_000_000, **fields
    )
    return stub.RestorePath(request, metadata=META)


def test_restoring_a_file_gives_a_commit_with_its_old_content_and_mode(service: Service, remote: Path) -> None:
    """Only that path changes; the same request gives the same commit; nothing is pushed unasked."""
    stub = service.stub()
    work = remote.parent / "records-work"
    (work / "records" / "r1.json").chmod(0o755)
    old = commit_file(remote, "records/r1.json", "first\n")
    (work / "records" / "r1.json").chmod(0o644)
    base = commit_file(remote, "records/r1.json", "second\n")
    made = restore(stub, base, old, b"records/r1.json")
    assert restore(stub, base, old, b"records/r1.json") == made
    assert (made.pushed, git(remote, "rev-parse", "main")) == (False, base)
    mirror = service.mirror()
    assert git(mirror, "rev-parse", f"{made.commit_oid}^") == base
    assert git(mirror, "diff-tree", "-r", "--name-only", base, made.commit_oid) == "records/r1.json"
    assert git(mirror, "ls-tree", made.commit_oid, "records/r1.json") == git(remote, "ls-tree", old, "records/r1.json")
    assert git(mirror, "log", "-1", "--format=%s", made.commit_oid) == f"Restore records/r1.json to {old[:12]}"
    git(mirror, "fsck", "--strict")


def test_restoring_reaches_folders_and_what_was_deleted(service: Service, remote: Path) -> None:
    """A folder comes back whole; a file comes back into a folder that is gone; a path that never was does not."""
    stub = service.stub()
    work = remote.parent / "records-work"
    old = commit_file(remote, "deep/er/x.txt", "x\n")
    git(work, "rm", "-rq", "deep", "records")
    git(work, "commit", "-q", "-m", "gone")
    git(work, "push", "-q", "origin", "HEAD:main")
    base = git(remote, "rev-parse", "main")
    mirror = service.mirror()
    made = restore(stub, base, old, b"records")
    assert git(mirror, "rev-parse", f"{made.commit_oid}:records") == git(remote, "rev-parse", f"{old}:records")
    made = restore(stub, base, old, b"deep/er/x.txt", message="back\n")
    assert git(mirror, "show", f"{made.commit_oid}:deep/er/x.txt") == "x"
    assert restore(stub, old, old, b"records").commit_oid == old
    with pytest.raises(errors.NotFoundError):
        restore(stub, base, old, b"records/never.json")
    in_the_way = commit_file(remote, "deep", "a file\n")
    with pytest.raises(errors.StateError) as refused:
        restore(stub, in_the_way, old, b"deep/er/x.txt")
    assert refused.value.reason == "NOT_A_FILE"


def test_an_administrator_restores_and_pushes_as_themselves(service: Service, remote: Path) -> None:
    """The commit lands on the branch that is named, from the value expected; others may not, nor in others' names."""
    admin = service.stub("", role=Role.ADMIN)
    old, base = git(remote, "rev-parse", "main~1"), git(remote, "rev-parse", "main")
    made = restore(admin, base, old, b"README.md", push_branch="restore/readme")
    assert made.pushed
    assert git(remote, "rev-parse", "restore/readme") == made.commit_oid
    assert git(remote, "log", "-1", "--format=%an %ae %cn", made.commit_oid) == "Ada ada@lockstep.invalid Ada"
    moved = restore(admin, base, old, b"README.md", push_branch="main", expected_old_oid=base)
    assert git(remote, "rev-parse", "main") == moved.commit_oid
    with pytest.raises(errors.MovedError):
        restore(admin, base, old, b"README.md", push_branch="main", message="x")
    with pytest.raises(errors.ForbiddenError):
        restore(service.stub("", role=Role.REVIEWER), base, old, b"README.md")
    with pytest.raises(errors.InvalidInputError):
        restore(admin, base, old, b".git/config")


def test_a_damaged_mirror_is_rebuilt_under_a_reader(service: Service, remote: Path) -> None:
    """History, diff and blame give their answer although the mirror's objects have gone."""
    stub = service.stub()
    head = fetch(stub).new_oid
    old = git(remote, "rev-parse", "main~1")
    asked = (
        lambda: [version.commit.oid for version in history(stub, head, "README.md").versions],
        lambda: diff(stub, old_oid=old, new_oid=head)[0],
        lambda: [hunk.commit_oid for hunk in blame(stub, head, "README.md")],
    )
    for ask in asked:
        # A mirror is rebuilt once a minute at most.
        service.servicer.parts.rebuilt.clear()
        whole = ask()
        for pack in (service.mirror() / "objects" / "pack").glob("*"):
            pack.unlink()
        assert ask() == whole
