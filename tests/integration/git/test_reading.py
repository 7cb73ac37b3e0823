"""Reading: status, refs, changed paths, blobs, files, history."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from services.git import objects
from services.runtime.identity import Role
from tests.integration.git import columns
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch, processes_at
from tests.standins.git_http import git

if TYPE_CHECKING:
    from collections.abc import Callable

ODD_NAMES = [
    b"new\nline.json",
    b'quo"te.json',
    b"non-utf8-\xff\xfe.json",
    b"$HOME.json",
    b"tab\t.json",
    b":(glob)*.json",
]


def raw_commit(bare: Path, files: dict[bytes, bytes], mode: str = "100644") -> str:
    """Commit files with any name to main, without a work tree."""
    stream = (
        b"commit refs/heads/main\ncommitter T <t@lockstep.invalid> 1700000000 +0000\ndata 0\nfrom refs/heads/main^0\n"
    )
    for name, content in files.items():
        quoted = b"".join(b"\\%03o" % byte for byte in name)
        stream += b'M %s inline "%s"\ndata %d\n%s\n' % (mode.encode(), quoted, len(content), content)
    git(bare, "fast-import", "--quiet", stdin=stream)
    return git(bare, "rev-parse", "main")


def changed(
    stub: git_pb2_grpc.GitServiceStub, old: str, new: str, *folders: bytes, renames: bool = False
) -> list[columns.Changed]:
    """Give the changes between two trees."""
    request = git_pb2.ListChangedPathsRequest(
        workspace_id=WORKSPACE, old_oid=old, new_oid=new, folders=folders, find_renames=renames
    )
    return columns.changes(stub.ListChangedPaths(request, metadata=META))


def read(stub: git_pb2_grpc.GitServiceStub, *batches: list[str], limit: int = 0) -> list[tuple[int, bytes]]:
    """Stream blobs; give size and content of each."""
    requests = [git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=one, max_blob_bytes=limit) for one in batches]
    answers = [answer for request in requests for answer in stub.ReadBlobs(request, metadata=META)]
    assert all(answer.ByteSize() <= 1024 * 1024 for answer in answers)
    return columns.blobs(answers, *([limit] if limit else []))


def test_status_counts_what_the_mirror_knows_and_says_so_when_it_does_not(service: Service, remote: Path) -> None:
    """Equal is 0, known is a number, moved since the last fetch is -1; the head is always the live one."""
    stub = service.stub()

    def status(imported: str) -> tuple[str, int]:
        request = git_pb2.GetStatusRequest(workspace_id=WORKSPACE, imported_oid=imported)
        answer = stub.GetStatus(request, metadata=META)
        return answer.remote_oid, answer.commits_behind

    head, older = git(remote, "rev-parse", "main"), git(remote, "rev-parse", "main~2")
    assert status(older) == (head, -1)  # there is no mirror yet
    assert not service.mirror().exists()
    fetch(stub)
    assert status(head) == (head, 0)
    assert status(older) == (head, 2)
    assert status("") == (head, 3)
    new = commit_file(remote, "records/new.json", "{}")
    assert status(head) == (new, -1)
    assert status(new) == (new, 0)


def test_remote_refs_are_listed_live(service: Service, remote: Path) -> None:
    """All branches by default, patterns on request, from either remote."""
    stub = service.stub()
    head = git(remote, "rev-parse", "main")
    git(remote, "branch", "a/b", "main")
    git(remote, "tag", "v1", "main")
    answer = stub.ListRemoteRefs(git_pb2.ListRemoteRefsRequest(workspace_id=WORKSPACE), metadata=META)
    assert [(ref.name, ref.oid) for ref in answer.refs] == [(b"refs/heads/a/b", head), (b"refs/heads/main", head)]
    request = git_pb2.ListRemoteRefsRequest(
        workspace_id=WORKSPACE, patterns=["refs/tags/*"], remote=git_pb2.REMOTE_PUSH
    )
    assert [ref.name for ref in stub.ListRemoteRefs(request, metadata=META).refs] == [b"refs/tags/v1"]


def test_every_kind_of_change_is_told_with_any_name(service: Service, remote: Path) -> None:
    """Names with newlines, quotes, dollars and bytes that are no UTF-8 arrive as they are, in path order."""
    stub = service.stub()
    before = git(remote, "rev-parse", "main")
    after = raw_commit(remote, {b"records/" + name: b"x" for name in ODD_NAMES} | {b"README.md": b"other"})
    found = changed(stub, before, after)
    assert [c.path for c in found] == sorted([b"records/" + name for name in ODD_NAMES] + [b"README.md"])
    kinds = {c.path: c.status for c in found}
    assert kinds.pop(b"README.md") == "M"
    assert set(kinds.values()) == {"A"}
    added = next(c for c in found if c.status == "A")
    assert (added.old_blob, added.old_mode, added.new_mode) == ("", 0, 0o100644)
    gone = changed(stub, after, before, b"records")
    assert {c.status for c in gone} == {"D"}
    assert {(c.new_blob, c.new_mode) for c in gone} == {("", 0)}
    for name in ODD_NAMES:
        request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=after, path=b"records/" + name)
        assert stub.ReadFile(request, metadata=META).content == b"x"


def test_the_whole_tree_is_new_against_the_empty_one(service: Service, remote: Path) -> None:
    """An empty old name stands for the empty tree; folders narrow the answer and are no patterns."""
    stub = service.stub()
    head = git(remote, "rev-parse", "main")
    assert [c.path for c in changed(stub, "", head)] == [
        b"README.md",
        b"records/r0.json",
        b"records/r1.json",
        b"records/r2.json",
    ]
    assert [c.path for c in changed(stub, "", head, b"README.md")] == [b"README.md"]
    assert changed(stub, "", head, b"rec*") == []
    assert changed(stub, head, head) == []


def test_renames_are_paired_on_request(service: Service, remote: Path) -> None:
    """A moved file is one change with both paths; without asking it is two."""
    stub = service.stub()
    work = remote.parent / "records-work"
    before = git(remote, "rev-parse", "main")
    git(work, "mv", "records/r1.json", "records/moved.json")
    git(work, "commit", "-q", "-m", "move")
    git(work, "push", "-q", "origin", "HEAD:main")
    after = git(work, "rev-parse", "HEAD")
    (one,) = changed(stub, before, after, renames=True)
    assert (one.status, one.old_path, one.path) == (
        "R",
        b"records/r1.json",
        b"records/moved.json",
    )
    assert one.old_blob == one.new_blob != ""
    assert len(changed(stub, before, after)) == 2


def test_links_are_reported_by_their_modes(service: Service, remote: Path) -> None:
    """A symbolic link is a change like others, to be judged by its mode."""
    before = git(remote, "rev-parse", "main")
    after = raw_commit(remote, {b"link": b"../../etc/passwd"}, mode="120000")
    (link,) = changed(service.stub(), before, after)
    assert link.new_mode == 0o120000


def test_blobs_come_in_order_with_gaps_told(service: Service, remote: Path) -> None:
    """Small, large, missing and wrong objects: each asked name gets its answer, in the order asked."""
    big, huge = os.urandom(3 * 1024 * 1024 + 7), b"h" * (5 * 1024 * 1024)
    head = raw_commit(remote, {b"big": big, b"huge": huge, b"empty": b""})
    stub = service.stub()
    fetch(stub)
    oid = {path: git(remote, "rev-parse", f"{head}:{path}") for path in ("big", "huge", "empty", "README.md")}
    tree, missing = git(remote, "rev-parse", f"{head}^{{tree}}"), "1" * 40
    asked = [oid["README.md"], oid["big"], missing, tree, oid["huge"], oid["empty"], oid["README.md"]]
    assert read(stub, asked, [oid["big"]], [], limit=4 * 1024 * 1024) == [
        (10, b"version 2\n"),
        (len(big), big),
        (-1, b""),
        (-1, b""),
        (len(huge), b""),
        (0, b""),
        (10, b"version 2\n"),
        (len(big), big),
    ]


def test_many_blobs_pass_through_the_pipes(service: Service, remote: Path) -> None:
    """More requests than pipes hold, answers larger than pipes hold: nothing blocks."""
    contents = {b"many/%05d" % n: b"%05d" % n * 100 for n in range(3500)}
    head = raw_commit(remote, contents)
    stub = service.stub()
    fetch(stub)
    oids = [change.new_blob for change in changed(stub, "", head, b"many")]
    assert [data for _, data in read(stub, oids, oids[::-1])] == [
        *contents.values(),
        *reversed(contents.values()),
    ]


def test_a_file_is_read_at_a_commit(service: Service, remote: Path) -> None:
    """Content, blob and mode; a folder, a missing file and a missing commit are named as such."""
    stub = service.stub()
    head, older = git(remote, "rev-parse", "main"), git(remote, "rev-parse", "main~1")

    def file(commit: str, path: bytes) -> git_pb2.ReadFileResponse:
        request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=commit, path=path)
        return stub.ReadFile(request, metadata=META)

    found = file(older, b"README.md")
    assert (found.content, found.mode) == (b"version 1\n", 0o100644)
    assert found.blob_oid == git(remote, "rev-parse", f"{older}:README.md")
    for path in (b"records", b"nothing", b"README.md/x"):
        with pytest.raises(errors.NotFoundError) as missing:
            file(head, path)
        assert missing.value.reason == "NO_FILE"
    with pytest.raises(errors.StateError) as unknown:
        file("1" * 40, b"README.md")
    assert unknown.value.reason == "UNKNOWN_COMMIT"
    with pytest.raises(errors.InvalidInputError):
        file(head, b"../x")


def test_history_is_paged_and_narrowed(service: Service, remote: Path) -> None:
    """Newest first, page by page, without what the older commit has, and by path."""
    stub = service.stub()
    head = git(remote, "rev-parse", "main")

    def page(
        page_size: int = 0, page_token: str = "", from_oid: str = "", path: bytes = b""
    ) -> git_pb2.ListCommitsResponse:
        request = git_pb2.ListCommitsRequest(
            workspace_id=WORKSPACE,
            to_oid=head,
            from_oid=from_oid,
            path=path,
            page_size=page_size,
            page_token=page_token,
        )
        return stub.ListCommits(request, metadata=META)

    first = page(page_size=2)
    assert [commit.message for commit in first.commits] == ["commit 2\n", "commit 1\n"]
    assert first.commits[0].oid == head
    assert list(first.commits[0].parent_oids) == [first.commits[1].oid]
    assert (first.commits[0].author.name, first.commits[0].author.email) == ("Tests", "tests@lockstep.invalid")
    assert first.commits[0].time == 1700000000
    second = page(page_size=2, page_token=first.next_page_token)
    assert [commit.message for commit in second.commits] == ["commit 0\n"]
    assert second.next_page_token == ""
    assert len(page(from_oid=first.commits[1].oid).commits) == 1
    assert [commit.message for commit in page(path=b"records/r1.json").commits] == ["commit 1\n"]
    with pytest.raises(errors.InvalidInputError):
        page(page_token="!")


def test_people_read_and_only_services_write(service: Service, remote: Path) -> None:
    """A viewer reads; fetching, committing, pushing is for sync and pr; nobody without identity gets in."""
    person = service.stub(service="")
    status = git_pb2.GetStatusRequest(workspace_id=WORKSPACE)
    assert person.GetStatus(status, metadata=META).remote_oid
    oid = git(remote, "rev-parse", "main")
    refused: list[Callable[[], object]] = [
        lambda: fetch(person),
        lambda: person.DropMirror(git_pb2.DropMirrorRequest(workspace_id=WORKSPACE), metadata=META),
        lambda: list(person.Push(git_pb2.PushRequest(workspace_id=WORKSPACE, branch="x", new_oid=oid), metadata=META)),
        lambda: person.CreateBranch(
            git_pb2.CreateBranchRequest(workspace_id=WORKSPACE, branch="x", oid=oid), metadata=META
        ),
        lambda: person.DeleteBranch(
            git_pb2.DeleteBranchRequest(workspace_id=WORKSPACE, branch="x", expected_old_oid=oid), metadata=META
        ),
        lambda: service.stub(service="auth").GetStatus(status, metadata=META),
        lambda: fetch(service.stub(service="gateway", role=Role.OPERATOR)),
    ]
    for call in refused:
        with pytest.raises(errors.ForbiddenError):
            call()
    with pytest.raises(errors.SignInError):
        service.stub().GetStatus(status)


def test_another_tenant_reaches_nothing(service: Service, remote: Path) -> None:
    """The tenant comes from the identity: the same workspace id of another tenant is unknown."""
    fetch(service.stub())
    other = service.stub(tenant="tenant-2")
    head = git(remote, "rev-parse", "main")
    calls: list[Callable[[], object]] = [
        lambda: fetch(other),
        lambda: other.GetStatus(git_pb2.GetStatusRequest(workspace_id=WORKSPACE), metadata=META),
        lambda: changed(other, "", head),
        lambda: read(other, [head]),
        lambda: other.ReadFile(
            git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md"), metadata=META
        ),
    ]
    for call in calls:
        with pytest.raises(errors.NotFoundError, match="workspace"):
            call()
    with pytest.raises(errors.InvalidInputError):
        service.stub().GetStatus(git_pb2.GetStatusRequest(workspace_id=f"../tenant-1/{WORKSPACE}"), metadata=META)


def is_reader(pid: int) -> bool:
    """Say whether a process reads objects; the one that compares trees waits for more to do."""
    try:
        return b"cat-file" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_a_cancelled_read_ends_its_process(service: Service, remote: Path) -> None:
    """Nobody reads on: the process that was reading ends, and others can read as before."""
    head = raw_commit(remote, {b"many/%05d" % n: os.urandom(100_000) for n in range(100)})
    stub = service.stub()
    fetch(stub)
    oids = [change.new_blob for change in changed(stub, "", head, b"many")]
    answers = stub.ReadBlobs(git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=oids), metadata=META)
    next(answers)
    answers.cancel()
    deadline = time.monotonic() + 10
    while any(map(is_reader, processes_at(service.mirror()))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert sum(len(data) for _, data in read(stub, oids)) == 100 * 100_000


def test_idle_readers_end(service: Service, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that nobody has used for a while ends by itself."""
    monkeypatch.setattr(objects, "IDLE_SECONDS", 0.3)
    stub = service.stub()
    head = fetch(stub).new_oid
    read(stub, [git(remote, "rev-parse", f"{head}:README.md")])
    assert processes_at(service.mirror())
    deadline = time.monotonic() + 10
    while processes_at(service.mirror()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
