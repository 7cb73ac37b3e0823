"""Partial clones: contents of files come when they are read, in one request each time, and nothing else changes."""

import concurrent.futures
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from services.git import upkeep
from services.git.housekeeping import FEW_PACKS
from services.git.remotes import Policy
from services.runtime.identity import Role
from tests.canary import files_with
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.test_files import blame, diff, history, move
from tests.integration.git.test_housekeeping import housekeeping
from tests.integration.git.test_reading import changed, read
from tests.integration.git.test_writing import ADA, commit, push
from tests.standins import forge_git, git_http
from tests.standins.git_http import GitHost, Misbehaviour, git

ASSETS = 40


@pytest.fixture
def filled(bare: Path) -> Path:
    """Give a repository in which records are a small part, on a host that offers partial clones."""
    git(bare, "config", "uploadpack.allowFilter", "true")
    work = bare.parent / "records-work"
    for number in range(ASSETS):
        (work / f"asset{number}").write_bytes(bytes([number]) * 5000)
    commit_file(bare, "docs/guide.md", "".join(f"line {n}\n" for n in range(30)))
    commit_file(bare, "docs/guide.md", "".join(f"line {n}\n" for n in range(40)))
    move(bare, "docs/guide.md", "docs/manual.md")
    commit_file(bare, "docs/manual.md", "".join(f"line {n}\n" for n in range(40)) + "end\n")
    return bare


@pytest.fixture
def stub(service: Service, filled: Path, host: GitHost, canary: str) -> git_pb2_grpc.GitServiceStub:
    """Give a stub of a service whose workspace is a partial clone that has just been made."""
    service.workspaces.put(f"{host.url}/records.git", token=canary, partial_clone=True)
    stub = service.stub()
    assert fetch(stub).new_oid == git(filled, "rev-parse", "main")
    assert blobs_in(service.mirror()) == set()
    return stub


def blobs_in(mirror: Path) -> set[str]:
    """Give the blobs that a mirror holds."""
    listed = git(mirror, "cat-file", "--batch-check=%(objecttype) %(objectname)", "--batch-all-objects").splitlines()
    return {line.split()[1] for line in listed if line.startswith("blob ")}


@contextmanager
def connections(host: GitHost, most: int) -> Iterator[None]:
    """Check that git connects to a host so many times at most to read from it."""
    host.asked.clear()
    yield
    assert sum(line.endswith("info/refs?service=git-upload-pack") for line in host.asked) <= most, host.asked


def oid(bare: Path, name: str) -> str:
    """Give the object that a name stands for."""
    return git(bare, "rev-parse", name)


def test_a_clone_holds_no_contents_and_its_configuration_no_remote(
    service: Service, stub: git_pb2_grpc.GitServiceStub, host: GitHost, canary: str
) -> None:
    """Commits and folders are there, files are not; neither the address nor the token is written anywhere."""
    text = (service.mirror() / "config").read_text(encoding="ascii")
    assert text == upkeep.CONFIG
    assert list(files_with(canary, service.data)) == []
    assert list(files_with(host.url.removeprefix("http://"), service.mirror())) == []
    assert fetch(stub).cloned is False


def test_many_blobs_come_in_one_request(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost
) -> None:
    """What is asked for in one message is fetched at once, what is there already not again, and nothing beside it."""
    head = oid(filled, "main")
    wanted = [change.new_blob for change in changed(stub, "", head) if change.path.startswith(b"asset")]
    assert len(wanted) == ASSETS
    with connections(host, 1):
        assert [data for _, data in read(stub, wanted)] == [
            (filled.parent / "records-work" / f"asset{name}").read_bytes() for name in sorted(range(ASSETS), key=str)
        ]
    assert blobs_in(service.mirror()) == set(wanted)
    with connections(host, 0):
        assert len(read(stub, wanted)) == ASSETS


def test_blobs_that_nobody_has_are_told_as_missing(
    stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost
) -> None:
    """An unknown name does not spoil the others; a message of nothing else but unknown names is refused in the end."""
    known, unknown = oid(filled, "main:README.md"), "1" * 40
    assert read(stub, [unknown, known]) == [(-1, b""), (10, b"version 2\n")]
    with connections(host, 10), pytest.raises(errors.StateError) as caught:
        read(stub, [f"{number:040x}" for number in range(100)])
    assert caught.value.reason == "BAD_OBJECTS"


def test_a_file_is_read(stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost) -> None:
    """One request brings it; the next reading needs no remote."""
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=oid(filled, "main"), path=b"README.md")
    with connections(host, 1):
        assert stub.ReadFile(request, metadata=META).content == b"version 2\n"
    host.wrong = Misbehaviour(cut=True)
    assert stub.ReadFile(request, metadata=META).content == b"version 2\n"


def test_a_diff_is_what_it_is_in_a_whole_clone(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost
) -> None:
    """With renames or without, between commits or against content: one request, and only what differs is fetched."""
    old, new = oid(filled, "main~3"), oid(filled, "main")
    with connections(host, 1):
        plain = diff(stub, old_oid=old, new_oid=new)
    assert plain[0].decode() == git(filled, "diff-tree", "-r", "-p", "--full-index", "--no-renames", old, new) + "\n"
    assert len(blobs_in(service.mirror())) == 2
    renamed = diff(stub, old_oid=old, new_oid=new, find_renames=True)
    assert renamed[0].decode() == git(filled, "diff-tree", "-r", "-p", "--full-index", "-M", old, new) + "\n"
    edit = git_pb2.TreeEdit(path=b"README.md", content=b"version 3\n")
    with connections(host, 1):
        against = diff(stub, old_oid=new, content=edit)
    assert against[0].endswith(b"-version 2\n+version 3\n")


def test_renames_among_changed_paths_are_found(stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost) -> None:
    """What was added and what was removed is fetched in one request, to be compared."""
    with connections(host, 1):
        (found,) = changed(stub, oid(filled, "main~3"), oid(filled, "main"), renames=True)
    assert (found.status, found.old_path, found.path) == ("R", b"docs/guide.md", b"docs/manual.md")


def test_blame_and_history_follow_renames_without_fetching_the_repository(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost
) -> None:
    """All versions of the file come at once; no other file of the repository does."""
    head = oid(filled, "main")
    with connections(host, 3):
        hunks = blame(stub, head, "docs/manual.md")
    assert [(hunk.commit_oid, len(hunk.lines)) for hunk in hunks] == [
        (oid(filled, "main~3"), 30),
        (oid(filled, "main~2"), 10),
        (head, 1),
    ]
    found = [version.commit.oid for version in history(stub, head, "docs/manual.md").versions]
    assert found == git(filled, "log", "--format=%H", "--follow", "-M", "main", "--", "docs/manual.md").splitlines()
    assets = {oid(filled, f"main:asset{number}") for number in range(ASSETS)}
    assert not assets & blobs_in(service.mirror())


def test_a_merge_reads_what_both_sides_changed(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost
) -> None:
    """One request for all, the same tree as git's own merge, and no file that only one side touched."""
    base = oid(filled, "main")
    content = "".join(f"line {n}\n" for n in range(40)) + "end\n"
    theirs = commit_file(filled, "docs/manual.md", content.replace("line 2\n", "line two\n"))
    commit_file(filled, "asset1", "one side only")
    theirs = oid(filled, "main")
    ours = commit(stub, base, {b"docs/manual.md": content.replace("line 30\n", "line thirty\n").encode()}).commit_oid
    fetch(stub)
    request = git_pb2.CreateMergeCommitRequest(
        workspace_id=WORKSPACE, ours_oid=ours, theirs_oid=theirs, message="Merge", author=ADA, time=1_700_000_200
    )
    with connections(host, 1):
        merged = stub.CreateMergeCommit(request, metadata=META).commit_oid
    assert push(stub, "merged", merged, "")
    git(filled, "update-ref", "refs/heads/ours", git(filled, "rev-parse", "merged^1"))
    tree = git(filled, "merge-tree", "--write-tree", "ours", theirs)
    assert oid(filled, "merged^{tree}") == tree
    assert oid(filled, f"{base}:asset1") not in blobs_in(service.mirror())


def test_commits_and_pushes_read_no_contents(service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path) -> None:
    """A commit is built from folders; what is pushed is what is new, also when the target has moved meanwhile."""
    head = oid(filled, "main")
    made = commit(stub, head, {b"records/r1.json": b"changed", b"asset2": None})
    commit_file(filled, "asset3", "moved meanwhile")
    assert push(stub, "publication", made.commit_oid, "")
    assert git(filled, "diff-tree", "-r", "--name-status", head, "publication").splitlines() == [
        "D\tasset2",
        "M\trecords/r1.json",
    ]
    git(filled, "fsck", "--strict", "--no-dangling")
    assert blobs_in(service.mirror()) == {made.blob_oids[0]}


def test_a_restored_file_is_fetched_for_the_push_alone(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path
) -> None:
    """A path back at an earlier version: the fork or branch that does not have it gets it."""
    head, old = oid(filled, "main"), oid(filled, "main~3")
    request = git_pb2.RestorePathRequest(
        workspace_id=WORKSPACE,
        base_oid=head,
        from_oid=old,
        path=b"docs/guide.md",
        author=ADA,
        time=1_700_000_300,
        push_branch="restored",
    )
    assert stub.RestorePath(request, metadata=META).pushed
    assert oid(filled, "restored:docs/guide.md") == oid(filled, f"{old}:docs/guide.md")
    git(filled, "fsck", "--strict", "--no-dangling")


def test_a_fork_that_is_behind_gets_all_it_lacks(service: Service, filled: Path, host: GitHost, canary: str) -> None:
    """What upstream has and the fork has not is fetched in one go, to be pushed."""
    fork = filled.parent / "fork.git"
    git(filled.parent, "clone", "-q", "--bare", filled, fork)
    git(fork, "config", "http.receivepack", "true")
    git(fork, "update-ref", "refs/heads/main", oid(filled, "main~4"))
    git(fork, "gc", "-q", "--prune=now")
    url = f"{host.url}/records.git"
    service.workspaces.put(url, push_url=f"{host.url}/fork.git", token=canary, partial_clone=True)
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"records/new.json": b"new"}).commit_oid
    request = git_pb2.PushRequest(
        workspace_id=WORKSPACE, remote=git_pb2.REMOTE_PUSH, branch="publication", new_oid=made
    )
    with connections(host, 4):
        *_, last = stub.Push(request, metadata=META)
    assert last.result.moved
    git(fork, "fsck", "--strict", "--no-dangling")
    assert oid(fork, "publication") == made


def test_later_fetches_bring_no_contents_either(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path
) -> None:
    """The target's new commits, a tag's annotation, a commit of another branch: all without files."""
    new = commit_file(filled, "asset4", "new")
    assert fetch(stub).new_oid == new
    git(filled, "tag", "-a", "-m", "said", "v1", "main~2")
    listed = stub.ListTags(git_pb2.ListTagsRequest(workspace_id=WORKSPACE, with_annotations=True), metadata=META)
    assert [tag.message for tag in listed.tags] == ["said\n"]
    git(filled.parent / "records-work", "push", "-q", "origin", "HEAD:refs/heads/other")
    other = commit_file(filled, "asset5", "other", branch="other")
    assert [change.path for change in changed(stub, new, other)] == [b"asset5"]
    assert blobs_in(service.mirror()) == set()


def test_a_host_without_partial_clones_gives_a_whole_one(
    service: Service, filled: Path, host: GitHost, canary: str
) -> None:
    """It is said in the log; the mirror then works as any other, and is not cloned over and over."""
    git(filled, "config", "uploadpack.allowFilter", "false")
    service.workspaces.put(f"{host.url}/records.git", token=canary, partial_clone=True)
    stub = service.stub()
    with structlog.testing.capture_logs() as logs:
        head = fetch(stub).new_oid
    assert [line["url"] for line in logs if "partial clone" in line["event"]] == [f"{host.url}/records.git"]
    assert len(blobs_in(service.mirror())) > ASSETS
    assert list((service.mirror() / "objects" / "pack").glob("*.promisor")) == []
    git(service.mirror(), "fsck", "--strict", "--no-dangling")
    assert fetch(stub).cloned is False
    with connections(host, 0):
        assert read(stub, [oid(filled, "main:asset1")])[0][0] == 5000
    assert push(stub, "publication", commit(stub, head, {b"x": b"1"}).commit_oid, "")


def test_a_host_that_gives_nothing_by_name_is_named_with_the_remedy(
    service: Service, filled: Path, host: GitHost, canary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that knows the filter and speaks the old protocol alone refuses names: the error says what to set."""

    def old_protocol(*args: Any, headers: dict[str, str], **more: Any) -> tuple[int, dict[str, str], bytes]:
        return forge_git.run_backend(*args, headers=headers | {"git-protocol": ""}, **more)

    monkeypatch.setattr(git_http, "run_backend", old_protocol)
    service.workspaces.put(f"{host.url}/records.git", token=canary, partial_clone=True)
    stub = service.stub()
    fetch(stub)
    with pytest.raises(errors.StateError) as caught:
        read(stub, [oid(filled, "main:README.md")])
    assert caught.value.reason == "NO_PARTIAL_CLONE"
    assert "--no-partial-clone" in caught.value.remedy


@pytest.mark.parametrize("partial", [True, False], ids=["to partial", "to whole"])
def test_a_changed_setting_rebuilds_the_mirror(
    service: Service, filled: Path, host: GitHost, canary: str, *, partial: bool
) -> None:
    """The next fetch makes the mirror as it is wanted now."""
    url = f"{host.url}/records.git"
    service.workspaces.put(url, token=canary, partial_clone=not partial)
    stub = service.stub()
    fetch(stub)
    service.workspaces.put(url, token=canary, partial_clone=partial)
    assert fetch(stub).cloned is True
    assert bool(blobs_in(service.mirror())) is not partial
    assert fetch(stub).cloned is False
    assert read(stub, [oid(filled, "main:README.md")]) == [(10, b"version 2\n")]


def test_housekeeping_keeps_what_is_promised_and_what_was_made(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path
) -> None:
    """Many packs become few; commits that are not pushed yet, blobs that were read and the promise stay."""
    head = oid(filled, "main")
    names = [oid(filled, f"main:asset{number}") for number in range(FEW_PACKS + 2)]
    for name in names:
        read(stub, [name])
    made = commit(stub, head, {b"records/r1.json": b"changed"}).commit_oid
    loose = commit(stub, head, {b"records/r1.json": b"not kept"}, keep_as="").commit_oid
    for days in (0, 30):
        housekeeping(service, days=days).round()
    assert upkeep.count_packs(service.mirror()) <= FEW_PACKS
    assert set(names) <= blobs_in(service.mirror())
    assert git(service.mirror(), "cat-file", "-t", loose) == "commit"
    assert read(stub, [oid(filled, "main:README.md"), names[0]]) == [(10, b"version 2\n"), (5000, bytes(5000))]
    assert push(stub, "publication", made, "")
    assert fetch(stub).cloned is False


@pytest.mark.parametrize("what", ["promise", "pack", "index"])
def test_a_damaged_mirror_is_rebuilt_as_a_partial_one(
    service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path, what: str
) -> None:
    """Whatever is lost: the content is read in the end, and the mirror is a partial clone again."""
    pack = service.mirror() / "objects" / "pack"
    suffix = {"promise": ".promisor", "pack": ".pack", "index": ".idx"}[what]
    for file in pack.glob(f"*{suffix}"):
        file.unlink()
    service.servicer.parts.pool.evict(service.mirror())
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=oid(filled, "main"), path=b"README.md")
    assert stub.ReadFile(request, metadata=META).content == b"version 2\n"
    new = commit_file(filled, "asset6", "new")
    assert fetch(stub).new_oid == new
    assert oid(filled, "main:asset1") not in blobs_in(service.mirror())


def test_a_mirror_that_is_gone_comes_back(service: Service, stub: git_pb2_grpc.GitServiceStub, filled: Path) -> None:
    """It is made again as a partial clone."""
    shutil.rmtree(service.mirror())
    assert read(stub, [oid(filled, "main:README.md")]) == [(10, b"version 2\n")]
    assert len(blobs_in(service.mirror())) == 1


def test_a_network_that_fails_is_a_typed_error_and_no_damage(
    stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost
) -> None:
    """Reading what is not here needs the remote: it says so, and works when the remote is back."""
    head = oid(filled, "main")
    readings: list[Callable[[], object]] = [
        lambda: read(stub, [oid(filled, "main:README.md")]),
        lambda: diff(stub, old_oid=oid(filled, "main~3"), new_oid=head),
        lambda: history(stub, head, "docs/manual.md"),
        lambda: blame(stub, head, "docs/manual.md"),
    ]
    for reading in readings:
        for wrong, kind in (
            (Misbehaviour(cut=True), errors.UnavailableError),
            (Misbehaviour(status=503), errors.UnavailableError),
            (Misbehaviour(status=401), errors.StateError),
        ):
            host.wrong = wrong
            with pytest.raises(kind):
                reading()
        host.wrong = Misbehaviour()
        assert reading()


def test_readers_at_once_fetch_once(stub: git_pb2_grpc.GitServiceStub, filled: Path, host: GitHost) -> None:
    """Several callers that lack the same: one of them fetches, all get it."""
    names = [oid(filled, f"main:asset{number}") for number in range(ASSETS)]
    with connections(host, 1), concurrent.futures.ThreadPoolExecutor(4) as threads:
        for answer in threads.map(lambda _: read(stub, names), range(4)):
            assert [size for size, _ in answer] == [5000] * ASSETS


def test_contents_count_against_the_quota(
    start: Callable[..., Service], filled: Path, host: GitHost, canary: str
) -> None:
    """A tenant that is above its quota gets no further contents."""
    service = start(replace(Policy.standalone(), quota_bytes=1))
    service.workspaces.put(f"{host.url}/records.git", token=canary, partial_clone=True)
    with pytest.raises(errors.BusyError) as caught:
        read(service.stub(role=Role.VIEWER), [oid(filled, "main:README.md")])
    assert caught.value.reason == "QUOTA"
