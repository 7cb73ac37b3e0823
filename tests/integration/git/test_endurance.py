"""Thousands of operations of all kinds: no process, descriptor or memory is left behind."""

import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from tests.integration.git.conftest import META, WORKSPACE, commit_file, fetch
from tests.integration.git.hostile import foreseen
from tests.integration.git.lone import Launcher, gits_at, kill_one, launch, until
from tests.integration.git.test_writing import ADA
from tests.standins.git_http import git

__all__ = ["launch"]


def status_of(pid: int) -> tuple[int, int, int]:
    """Give resident memory in KiB, open descriptors and threads of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])  # noqa: PTH208


def zombies_of(pid: int) -> list[str]:
    """Give the children of a process that it has not waited for."""
    found = subprocess.run(["ps", "-o", "stat=,comm=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [line for line in found.stdout.splitlines() if line.startswith("Z")]


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(1500)])])
def test_nothing_is_left_by_many_operations(launch: Launcher, bare: Path, count: int) -> None:
    """A mix of reading, writing, failing, cancelled and killed calls, chosen by a fixed seed.

    The first fifth is for warming up; after that memory, descriptors, threads and processes stay as they are.
    """
    service = launch(f"file://{bare}")
    stub = service.stub
    head = fetch(stub).new_oid
    older = git(bare, "rev-parse", "main~2")
    blobs = [line.split()[2] for line in git(bare, "ls-tree", "-r", "main").splitlines()]
    chance = random.Random(7)  # noqa: S311  reproducible, not secret

    def create(text: str) -> object:
        header = git_pb2.CommitHeader(
            workspace_id=WORKSPACE, base_oid=head, message="m", author=ADA, committer=ADA, time=1, keep_as=f"c/{text}"
        )
        edit = git_pb2.TreeEdit(path=b"records/r1.json", content=text.encode())
        parts = [git_pb2.CreateCommitRequest(header=header)]
        parts.append(git_pb2.CreateCommitRequest(edits=git_pb2.CommitEdits(edits=[edit])))
        return stub.CreateCommit(iter(parts), metadata=META)

    def cancel() -> None:
        request = git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=blobs * 500)
        running = stub.ReadBlobs(request, metadata=META)
        next(running)
        running.cancel()

    def kill() -> None:
        for pid in gits_at(service.data)[:1]:
            kill_one(pid)

    def move() -> None:
        commit_file(bare, "records/moving.json", str(chance.random()))
        fetch(stub)

    def read(path: bytes) -> object:
        return stub.ReadFile(git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=path), metadata=META)

    often = [
        lambda: read(b"README.md"),
        lambda: read(b"nothing"),
        lambda: read(b"../x"),
        lambda: list(stub.ReadBlobs(git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=blobs), metadata=META)),
        lambda: list(
            stub.ListChangedPaths(
                git_pb2.ListChangedPathsRequest(workspace_id=WORKSPACE, old_oid=older, new_oid=head), metadata=META
            )
        ),
        lambda: stub.ListCommits(git_pb2.ListCommitsRequest(workspace_id=WORKSPACE, to_oid=head), metadata=META),
        lambda: stub.GetStatus(git_pb2.GetStatusRequest(workspace_id=WORKSPACE, imported_oid=older), metadata=META),
        lambda: stub.GetStatus(git_pb2.GetStatusRequest(workspace_id="none"), metadata=META),
        lambda: create(str(chance.randrange(20))),
        cancel,
    ]
    seldom = [
        kill,
        move,
        lambda: fetch(stub),
        lambda: stub.DropMirror(git_pb2.DropMirrorRequest(workspace_id=WORKSPACE), metadata=META),
    ]
    warm = (0, 0, 0)
    failures = 0
    for number in range(count):
        if number == count // 5:
            warm = settled(service.process.pid)
        try:
            (chance.choice(seldom) if chance.random() < 0.02 else chance.choice(often))()
        except errors.LockstepError as error:
            failures += bool(foreseen(error))
    memory, descriptors, threads = settled(service.process.pid)
    assert zombies_of(service.process.pid) == []
    assert descriptors <= warm[1] + 10, (warm, descriptors)
    assert threads <= warm[2] + 60, (warm, threads)
    assert memory - warm[0] <= 20 * 1024, f"{warm[0]} KiB before, {memory} KiB after"
    assert len(gits_at(service.data)) <= 8
    print(f"{count} operations, {failures} refused: {warm} before, {(memory, descriptors, threads)} after")
    service.kill()
    until(lambda: not gits_at(service.data))


def settled(pid: int) -> tuple[int, int, int]:
    """Give the status of a process once its descriptors stay the same: cancelled calls end a moment later."""
    last = status_of(pid)
    for _ in range(20):
        time.sleep(0.3)
        now = status_of(pid)
        if now[1] == last[1]:
            return now
        last = now
    return last
