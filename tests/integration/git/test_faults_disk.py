"""A disk that is full: told as that, nothing half-done, and all well once there is room."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.core import errors
from tests.integration.git.conftest import Service, fetch
from tests.integration.git.hostile import outcome
from tests.integration.git.test_reading import raw_commit
from tests.integration.git.test_writing import commit, push
from tests.standins.git_http import git

ROOM = 6 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give the folder ``small``, which is a disk of 6 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=700", "tmpfs", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode(errors='replace').strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def cramped(small_disk: Path, start: Callable[..., Service], bare: Path) -> Service:
    """Give a service whose data folder is on the small disk."""
    service = start(data="small")
    service.workspaces.put(f"file://{bare}")
    return service


def fill(disk: Path, leave: int = 0) -> Path:
    """Fill a disk but for a few bytes; give the file that does it."""
    ballast = disk / "ballast"
    stats = os.statvfs(disk)
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(1, stats.f_bavail * stats.f_frsize - leave))
    return ballast


def used(disk: Path) -> int:
    """Give the bytes in use."""
    stats = os.statvfs(disk)
    return (stats.f_blocks - stats.f_bfree) * stats.f_frsize


def test_a_repository_that_does_not_fit(cramped: Service, small_disk: Path, bare: Path) -> None:
    """The clone fails with the reason, gives back all of its room, and a smaller one works."""
    small = git(bare, "rev-parse", "main")
    raw_commit(bare, {b"big": os.urandom(2 * ROOM)})
    empty = used(small_disk)
    stub = cramped.stub()
    for _ in range(3):
        with pytest.raises(errors.UnavailableError) as failed:
            fetch(stub)
        assert failed.value.reason == "DISK_FULL"
        assert "make room" in failed.value.remedy
    assert used(small_disk) <= empty + 64 * 1024
    git(bare, "update-ref", "refs/heads/main", small)
    assert fetch(stub).new_oid == small


@pytest.mark.parametrize("leave", [0, 4096, 40_000, 200_000])
def test_every_call_on_a_full_disk(cramped: Service, small_disk: Path, bare: Path, leave: int) -> None:
    """Reading goes on, writing says why it does not, and nothing that was there is lost or damaged."""
    stub = cramped.stub()
    head = fetch(stub).new_oid
    kept = commit(stub, head, {b"x": b"1"}).commit_oid
    new = raw_commit(bare, {b"new": os.urandom(400_000)})
    ballast = fill(small_disk, leave)
    assert fetch_fails(cramped)
    with pytest.raises(errors.UnavailableError) as failed:
        commit(stub, head, {b"y%d" % n: os.urandom(50_000) for n in range(10)}, keep_as="full")
    assert failed.value.reason == "DISK_FULL"
    # Taking the writer lock needs a few bytes as well.
    assert outcome(lambda: push(stub, "kept", kept, "")) in ("", "UnavailableError")
    ballast.unlink()
    push(stub, "kept", kept, "")
    assert git(bare, "rev-parse", "kept") == kept
    assert fetch(stub).new_oid == new
    assert commit(stub, head, {b"y": b"1"}, keep_as="full").commit_oid
    mirror = cramped.mirror()
    git(mirror, "fsck", "--strict", "--no-dangling")
    assert git(mirror, "rev-parse", "refs/lockstep/publications/p1") == kept
    left = [path for path in mirror.parent.rglob("*") if ".pack-" in path.name or "tmp" in path.name]
    assert left == []


def fetch_fails(service: Service) -> bool:
    """Say whether a fetch fails, with a typed error."""
    return outcome(lambda: fetch(service.stub())) == "UnavailableError"
