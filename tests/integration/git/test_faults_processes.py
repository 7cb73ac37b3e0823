"""``kill -9`` of the service and of git, in every phase: what comes next goes on as if nothing had been."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from tests.integration.git.conftest import META, TENANT, WORKSPACE, commit_file, fetch
from tests.integration.git.lone import Launcher, LoneService, gits_at, kill_one, launch, until
from tests.integration.git.test_hostile_repositories import store, tree_of
from tests.integration.git.test_remotes import LISTED, stuck
from tests.integration.git.test_writing import commit, push
from tests.standins.git_http import GitHost, git

__all__ = ["launch"]

PHASES = ["clone", "fetch", "push"]


@contextlib.contextmanager
def in_the_middle(service: LoneService, host: GitHost, phase: str) -> Iterator[None]:
    """Have the service in the middle of a phase: git is at work and the remote says nothing more."""
    after = 0
    if phase == "clone":
        call: Callable[[], object] = lambda: fetch(service.stub)  # noqa: E731
        after = LISTED
    elif phase == "fetch":
        fetch(service.stub)
        commit_file(host.folder / "records.git", "records/n.json", "{}")
        call = lambda: fetch(service.stub)  # noqa: E731
        after = LISTED
    else:
        head = fetch(service.stub).new_oid
        made = commit(service.stub, head, {b"x": b"1"}).commit_oid
        call = lambda: push(service.stub, "main", made, head)  # noqa: E731
    failed: list[Exception] = []

    def doomed() -> None:
        try:
            call()
        except errors.LockstepError as error:
            failed.append(error)

    with stuck(host, after):
        thread = threading.Thread(target=doomed)
        thread.start()
        until(lambda: gits_at(service.data, "push" if phase == "push" else "fetch"))
        until(lambda: gits_at(service.data, "remote-http"))
        yield
        thread.join(20)
        assert not thread.is_alive()
    assert isinstance(failed[0], errors.UnavailableError | errors.CancelledError)


@pytest.mark.parametrize("phase", PHASES)
def test_no_git_outlives_a_service_that_is_killed(launch: Launcher, host: GitHost, canary: str, phase: str) -> None:
    """The remote hangs and the service dies: its gits end by themselves, and the next service does the work."""
    url = f"{host.url}/records.git"
    service = launch(url, token=canary)
    with in_the_middle(service, host, phase):
        service.kill()
        until(lambda: not gits_at(service.data), seconds=10)
        successor = launch(url, token=canary)
    result = fetch(successor.stub)
    head = git(host.folder / "records.git", "rev-parse", "main")
    assert result.new_oid == head
    again = commit(successor.stub, head, {b"x": b"1"}).commit_oid
    assert push(successor.stub, "main", again, head)
    mirror = successor.data / "git" / TENANT
    assert not list(mirror.rglob("*.lock-*"))
    assert not list((mirror / f"{WORKSPACE}.git").rglob("*.lock"))
    assert not list(mirror.rglob("*tmp_*"))
    assert [path.name for path in mirror.glob("*.tmp-*")] == []
    git(mirror / f"{WORKSPACE}.git", "fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("phase", PHASES)
def test_a_git_that_is_killed_is_told_and_the_next_one_works(
    launch: Launcher, host: GitHost, canary: str, phase: str
) -> None:
    """The kernel picks git, or the helper that speaks http: UNAVAILABLE now, all well a moment later."""
    service = launch(f"{host.url}/records.git", token=canary)
    with in_the_middle(service, host, phase):
        for pid in gits_at(service.data, "remote-http" if phase == "push" else "fetch"):
            kill_one(pid)
    head = git(host.folder / "records.git", "rev-parse", "main")
    assert fetch(service.stub).new_oid == head
    made = commit(service.stub, head, {b"x": b"1"}).commit_oid
    assert push(service.stub, "main", made, head)
    until(lambda: not gits_at(service.data, "remote-http"))


def test_a_service_killed_within_commits_leaves_whole_commits(launch: Launcher, bare: Path) -> None:
    """Killed at random moments of a stream of commits: the mirror is sound, and each commit is there or is not."""
    url = f"file://{bare}"
    service = launch(url)
    head = fetch(service.stub).new_oid
    edits: dict[bytes, bytes | None] = {b"records/n%d.json" % n: b"%d" % n * 2000 for n in range(200)}
    expected = commit(service.stub, head, edits).commit_oid
    for wait in (0.01, 0.03, 0.06, 0.1):
        begun = threading.Event()
        doomed = service

        def run(doomed: LoneService = doomed, begun: threading.Event = begun) -> None:
            with contextlib.suppress(errors.LockstepError):
                begun.set()
                for number in range(1000):
                    commit(doomed.stub, head, {**edits, b"n": b"%d" % number}, keep_as=f"c/{number}")

        thread = threading.Thread(target=run)
        thread.start()
        begun.wait()
        thread.join(wait)
        service.kill()
        thread.join(20)
        service = launch(url)
        assert commit(service.stub, head, edits).commit_oid == expected
        mirror = service.data / "git" / TENANT / f"{WORKSPACE}.git"
        git(mirror, "fsck", "--strict", "--no-dangling")
        assert not list(mirror.rglob("*.lock"))


def test_readers_that_are_killed_are_replaced(launch: Launcher, bare: Path) -> None:
    """Somebody kills the processes that read objects, again and again: every read is answered."""
    service = launch(f"file://{bare}")
    head = fetch(service.stub).new_oid
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    for _ in range(10):
        assert service.stub.ReadFile(request, metadata=META).content == b"version 2\n"
        for pid in gits_at(service.data):
            kill_one(pid)
        until(lambda: not gits_at(service.data))
    assert service.stub.ReadFile(request, metadata=META).content == b"version 2\n"


def test_locks_of_the_dead_are_removed_and_those_of_the_living_are_not(launch: Launcher, host: GitHost) -> None:
    """While an orphan of a dead service could still write, nobody takes its locks away."""
    host.token = ""
    url = f"{host.url}/records.git"
    service = launch(url)
    fetch(service.stub)
    commit_file(host.folder / "records.git", "records/n.json", "{}")
    mirror = service.data / "git" / TENANT / f"{WORKSPACE}.git"
    successor = launch(url, lock_seconds=0.5)
    with stuck(host, LISTED):
        thread = threading.Thread(target=_try, args=(service,))
        thread.start()
        until(lambda: gits_at(service.data, "remote-http"))
        (mirror / "shallow.lock").write_text("the living's", encoding="ascii")
        with pytest.raises(errors.BusyError):
            commit(successor.stub, git(mirror, "rev-parse", "refs/remotes/target/main"), {b"x": b"1"})
        assert (mirror / "shallow.lock").exists()
        service.kill()
        until(lambda: not gits_at(service.data, "fetch"), seconds=10)
        thread.join(20)
    assert fetch(successor.stub).new_oid
    assert not (mirror / "shallow.lock").exists()


def _try(service: LoneService) -> None:
    with contextlib.suppress(errors.LockstepError):
        fetch(service.stub)


def test_objects_that_were_half_written_are_no_harm(launch: Launcher, bare: Path) -> None:
    """Pieces of packs, of indexes and of clones, as a power cut leaves them: swept away by the next writer."""
    url = f"file://{bare}"
    service = launch(url)
    head = fetch(service.stub).new_oid
    folder = service.data / "git" / TENANT
    mirror = folder / f"{WORKSPACE}.git"
    service.kill()
    left = [
        mirror / "objects/pack/tmp_pack_dead",
        mirror / "objects/pack/tmp_idx_dead",
        mirror / "objects/12/tmp_obj_dead",
        mirror / "packed-refs.lock",
        mirror / "refs/lockstep/x.lock",
        folder / f"{WORKSPACE}.git.tmp-dead" / "HEAD",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    (mirror / "objects/pack/pack-1234.pack").write_bytes(b"PACK")
    (folder / f"{WORKSPACE}.lock").write_bytes(b"w")
    service = launch(url)
    made = commit(service.stub, head, {b"x": b"1"}).commit_oid
    assert push(service.stub, "main", made, head)
    assert not [path for path in left if path.exists()]


def test_a_tree_of_a_dead_commit_is_not_lost(launch: Launcher, bare: Path) -> None:
    """An object that is there already, from a commit that was never finished, is no obstacle to making it again."""
    service = launch(f"file://{bare}")
    head = fetch(service.stub).new_oid
    mirror = service.data / "git" / TENANT / f"{WORKSPACE}.git"
    blob = store(mirror, "blob", b"1")
    store(mirror, "tree", tree_of((b"100644", b"x", blob)))
    made = commit(service.stub, head, {b"d/x": b"1"}).commit_oid
    git(mirror, "fsck", "--strict", "--no-dangling")
    assert push(service.stub, "main", made, head)
