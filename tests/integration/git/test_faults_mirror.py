"""Damage to the mirror, wherever it strikes: mended or told, never lasting."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from tests.integration.git import columns
from tests.integration.git.conftest import META, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.hostile import outcome
from tests.integration.git.test_hostile_repositories import point, store, tree_of
from tests.integration.git.test_reading import changed
from tests.integration.git.test_writing import ADA, commit, push
from tests.standins.git_http import git


def garble(file: Path) -> None:
    """Overwrite a file with what is no use to anybody."""
    file.chmod(0o644)
    file.write_bytes(os.urandom(max(64, file.stat().st_size)))


def empty(file: Path) -> None:
    """Leave a file without content, as a power cut does."""
    file.chmod(0o644)
    file.write_bytes(b"")


def halve(file: Path) -> None:
    """Cut a file in the middle."""
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def remove(file: Path) -> None:
    """Delete a file."""
    file.unlink()


def replace(file: Path) -> None:
    """Have a folder where a file was."""
    file.unlink()
    file.mkdir()


FILES = ["HEAD", "config", "refs/remotes/target/main", "refs/lockstep/p", "objects/pack/*.pack", "objects/pack/*.idx"]


@pytest.mark.parametrize("harm", [garble, empty, halve, remove, replace])
@pytest.mark.parametrize("pattern", FILES)
def test_any_damaged_file_is_mended(service: Service, remote: Path, pattern: str, harm: Callable[[Path], None]) -> None:
    """Every way of using the mirror gives an answer or a typed error, and after one fetch all of them work."""
    stub = service.stub()
    older, head = git(remote, "rev-parse", "main~1"), fetch(stub).new_oid
    ours = commit(stub, head, {b"x": b"1"}, keep_as="p").commit_oid
    mirror = service.mirror()
    read = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    blobs = git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=[git(remote, "rev-parse", "main:README.md")])
    listed = git_pb2.ListCommitsRequest(workspace_id=WORKSPACE, to_oid=head, from_oid=older)
    status = git_pb2.GetStatusRequest(workspace_id=WORKSPACE, imported_oid=older)
    merge = git_pb2.CreateMergeCommitRequest(
        workspace_id=WORKSPACE, ours_oid=head, theirs_oid=older, message="m", author=ADA, committer=ADA, time=1
    )
    for file in mirror.glob(pattern):
        harm(file)
    service.servicer.parts.pool.evict(mirror)
    uses: list[Callable[[], object]] = [
        lambda: stub.ReadFile(read, metadata=META),
        lambda: stub.ReadBlobs(blobs, metadata=META),
        lambda: changed(stub, older, head),
        lambda: stub.ListCommits(listed, metadata=META),
        lambda: stub.GetStatus(status, metadata=META),
        lambda: stub.CreateMergeCommit(merge, metadata=META),
        lambda: commit(stub, head, {b"y": b"1"}),
        lambda: push(stub, "p", ours, ""),
    ]
    for use in uses:
        outcome(use)
    commit_file(remote, "records/new.json", "{}")
    service.servicer.parts.rebuilt.clear()
    outcome(lambda: fetch(stub))
    assert fetch(stub).new_oid == git(remote, "rev-parse", "main")
    ours = commit(stub, head, {b"x": b"1"}, keep_as="p").commit_oid
    for use in uses:
        assert outcome(use) == ""
    if pattern != "HEAD":  # which is nobody's business in a mirror, as long as git takes it
        git(mirror, "fsck", "--strict", "--no-dangling")


def test_a_mirror_that_vanishes_under_a_reader(service: Service, remote: Path) -> None:
    """The folder is deleted while a stream of blobs is read from it: the rest comes from a new mirror."""
    stub = service.stub()
    head = fetch(stub).new_oid
    blob = git(remote, "rev-parse", "main:README.md")
    for _ in range(5):
        shutil.rmtree(service.mirror())
        request = git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=[blob] * 6000)
        answers = stub.ReadBlobs(request, metadata=META)
        assert columns.blobs(answers) == [(10, b"version 2\n")] * 6000
    assert fetch(stub).new_oid == head


def test_a_whole_data_folder_that_is_lost(service: Service, remote: Path) -> None:
    """The volume comes back empty: everything is made anew, for the same answers."""
    stub = service.stub()
    head = fetch(stub).new_oid
    made = commit(stub, head, {b"x": b"1"}).commit_oid
    shutil.rmtree(service.data / "git")
    assert commit(stub, head, {b"x": b"1"}).commit_oid == made
    assert push(stub, "main", made, head)


@pytest.mark.slow
def test_a_repository_that_cannot_be_read_is_not_cloned_over_and_over(service: Service, remote: Path) -> None:
    """What git cannot read in a fresh mirror either is the repository's own fault, and costs one rebuild a minute."""
    oid = store(remote, "tree", tree_of((b"100644", b"f", store(remote, "blob", b"1"))))
    for _ in range(20_000):
        oid = store(remote, "tree", tree_of((b"40000", b"d", oid)))
    point(remote, oid)
    stub = service.stub()
    head = fetch(stub).new_oid
    rebuilt = set()
    for _ in range(4):
        with pytest.raises((errors.StateError, errors.UnavailableError)):
            changed(stub, "", head)
        rebuilt.add(service.mirror().stat().st_ino)
    assert len(rebuilt) == 1
