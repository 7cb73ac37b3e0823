"""Mirrors: made, brought up to date, healed."""

import concurrent.futures
import shutil
from pathlib import Path

import pytest

from protos.git.v1 import git_pb2
from services.core import errors
from services.git import housekeeping, upkeep
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, commit_file, fetch
from tests.integration.git.test_writing import commit
from tests.standins.git_http import git


def test_first_fetch_clones_and_the_next_finds_nothing(service: Service, remote: Path) -> None:
    """The first fetch makes the mirror, a second one changes nothing, a third brings what was pushed."""
    stub = service.stub()
    head = git(remote, "rev-parse", "main")
    first = fetch(stub)
    assert (first.old_oid, first.new_oid, first.cloned) == ("", head, True)
    second = fetch(stub)
    assert (second.old_oid, second.new_oid, second.cloned) == (head, head, False)
    new = commit_file(remote, "records/new.json", "{}")
    third = fetch(stub)
    assert (third.old_oid, third.new_oid, third.cloned) == (head, new, False)


def test_mirror_config_holds_no_address_and_runs_no_hooks(service: Service, remote: Path) -> None:
    """The mirror's configuration says how to be careful and nothing about the remote."""
    fetch(service.stub())
    config = (service.mirror() / "config").read_text(encoding="utf-8")
    assert str(remote) not in config
    assert "url" not in config
    assert git(service.mirror(), "config", "core.hooksPath") == "/dev/null"
    assert git(service.mirror(), "config", "transfer.fsckObjects") == "true"
    assert git(service.mirror(), "config", "gc.auto") == "0"
    assert not (service.mirror() / "FETCH_HEAD").exists()


def test_a_rewritten_branch_is_followed(service: Service, remote: Path) -> None:
    """A force push upstream is taken as it is."""
    stub = service.stub()
    fetch(stub)
    older = git(remote, "rev-parse", "main~2")
    git(remote, "update-ref", "refs/heads/main", older)
    assert fetch(stub).new_oid == older


def test_another_target_branch_may_stand_below_the_old_one(service: Service, remote: Path) -> None:
    """After ``main`` the target may be ``main/x``, which git cannot keep beside it."""
    stub = service.stub()
    fetch(stub)
    head = git(remote, "rev-parse", "main")
    git(remote, "update-ref", "-d", "refs/heads/main")
    git(remote, "update-ref", "refs/heads/main/x", head)
    service.workspaces.put(f"file://{remote}", branch="main/x")
    assert fetch(stub).new_oid == head


@pytest.mark.parametrize("damage", ["deleted", "emptied", "no objects", "truncated ref"])
def test_a_damaged_mirror_is_rebuilt(service: Service, remote: Path, damage: str) -> None:
    """Whatever happens to the mirror, the next fetch mends it."""
    stub = service.stub()
    head = fetch(stub).new_oid
    mirror = service.mirror()
    if damage == "deleted":
        shutil.rmtree(mirror)
    elif damage == "emptied":
        (mirror / "HEAD").unlink()
    elif damage == "no objects":
        shutil.rmtree(mirror / "objects")
        (mirror / "objects" / "pack").mkdir(parents=True)
        service.servicer.parts.pool.evict(mirror)
    else:
        (mirror / "refs/remotes/target/main").write_text("", encoding="ascii")
    assert fetch(stub).new_oid == head
    git(mirror, "fsck", "--strict")


def test_reading_heals_a_missing_mirror(service: Service, remote: Path) -> None:
    """A reader needs no fetch before: the mirror is made when it is not there."""
    head = git(remote, "rev-parse", "main")
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    assert service.stub().ReadFile(request, metadata=META).content == b"version 2\n"
    shutil.rmtree(service.mirror())
    assert service.stub().ReadFile(request, metadata=META).content == b"version 2\n"


def test_a_lost_object_is_mended_by_its_reader_or_the_next_fetch(service: Service, remote: Path) -> None:
    """A blob that should be there and is not: the reader has the mirror rebuilt, but not all the time."""
    stub = service.stub()
    fetch(stub)
    blob = git(remote, "rev-parse", "main:README.md")

    def lose() -> None:
        mirror = service.mirror()
        service.servicer.parts.pool.evict(mirror)
        (pack,) = mirror.glob("objects/pack/*.pack")
        packed = pack.read_bytes()
        shutil.rmtree(pack.parent)
        pack.parent.mkdir()
        git(mirror, "unpack-objects", "-q", stdin=packed)
        (mirror / "objects" / blob[:2] / blob[2:]).unlink()

    def read() -> git_pb2.ReadBlobsResponse:
        request = git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=[blob])
        (answer,) = stub.ReadBlobs(request, metadata=META)
        return answer

    lose()
    assert read().data == b"version 2\n"
    lose()
    assert list(read().sizes) == [-1]
    assert fetch(stub).cloned
    assert read().data == b"version 2\n"


def test_stale_locks_of_a_dead_writer_are_removed(service: Service, remote: Path) -> None:
    """Lock files that a killed process left do not stop the next writer."""
    stub = service.stub()
    fetch(stub)
    mirror = service.mirror()
    (mirror / "refs/remotes/target/main.lock").write_text("", encoding="ascii")
    (mirror / "shallow.lock").write_text("", encoding="ascii")
    half = mirror.with_name(f"{mirror.name}.tmp-dead")
    half.mkdir()
    mirror.with_suffix(".lock").write_bytes(b"w")  # what a writer leaves that was killed
    new = commit_file(remote, "records/new.json", "{}")
    assert fetch(stub).new_oid == new
    assert not half.exists()
    assert not list(mirror.rglob("*.lock"))


def test_a_missing_branch_an_empty_and_an_unknown_repository_are_told_apart(
    service: Service, remote: Path, tmp_path: Path
) -> None:
    """Each has its own reason and a remedy, and leaves nothing behind."""
    stub = service.stub()
    service.workspaces.put(f"file://{remote}", branch="nowhere")
    with pytest.raises(errors.NotFoundError, match="no branch 'nowhere'") as failed:
        fetch(stub)
    assert failed.value.reason == "NO_BRANCH"
    empty = tmp_path / "empty.git"
    git(tmp_path, "init", "-q", "--bare", empty)
    service.workspaces.put(f"file://{empty}")
    with pytest.raises(errors.NotFoundError, match="is empty") as failed:
        fetch(stub)
    assert failed.value.reason == "EMPTY_REPOSITORY"
    service.workspaces.put(f"file://{tmp_path}/nothing.git")
    with pytest.raises(errors.NotFoundError) as failed:
        fetch(stub)
    assert failed.value.reason == "NO_REPOSITORY"
    assert failed.value.remedy
    assert not service.mirror().exists()
    assert not list((service.data / "git" / TENANT).glob("*.tmp-*"))


def test_drop_forgets_the_mirror(service: Service, remote: Path) -> None:
    """A dropped mirror is gone, and is made again when needed."""
    stub = service.stub()
    fetch(stub)
    stub.DropMirror(git_pb2.DropMirrorRequest(workspace_id=WORKSPACE), metadata=META)
    assert not service.mirror().exists()
    assert fetch(stub).cloned


def test_progress_is_streamed_and_the_result_comes_last(service: Service, remote: Path) -> None:
    """A clone tells how far it is."""
    answers = list(service.stub().Fetch(git_pb2.FetchRequest(workspace_id=WORKSPACE), metadata=META))
    assert [answer.WhichOneof("event") for answer in answers[:-1]] == ["progress"] * (len(answers) - 1)
    assert len(answers) > 1
    assert answers[-1].WhichOneof("event") == "result"


def spoil(mirror: Path) -> None:
    """Overwrite the middle of every pack, as a bad disk would."""
    for pack in mirror.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        content = bytearray(pack.read_bytes())
        content[12:-20] = b"\xff" * (len(content) - 32)
        pack.write_bytes(content)


def test_a_spoilt_pack_is_no_lasting_harm(service: Service, remote: Path) -> None:
    """Reading a file, comparing, streaming and committing all go through: the mirror is rebuilt under them."""
    stub = service.stub()
    head = fetch(stub).new_oid
    mirror = service.mirror()
    blob = git(remote, "rev-parse", "main:README.md")
    file = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    paths = git_pb2.ListChangedPathsRequest(workspace_id=WORKSPACE, new_oid=head)
    blobs = git_pb2.ReadBlobsRequest(workspace_id=WORKSPACE, oids=[blob])

    def again() -> None:
        service.servicer.parts.pool.evict(mirror)
        service.servicer.parts.checked.clear()
        service.servicer.parts.rebuilt.clear()
        spoil(mirror)

    again()
    assert stub.ReadFile(file, metadata=META).content == b"version 2\n"
    again()
    assert len(next(stub.ListChangedPaths(paths, metadata=META)).statuses) == 4
    again()
    assert next(stub.ReadBlobs(blobs, metadata=META)).data == b"version 2\n"
    again()
    assert commit(stub, head, {b"records/r0.json": b"x"}).commit_oid
    again()
    status = git_pb2.GetStatusRequest(workspace_id=WORKSPACE, imported_oid=git(remote, "rev-parse", "main~1"))
    assert stub.GetStatus(status, metadata=META).remote_oid == head
    assert fetch(stub).new_oid == head
    git(mirror, "fsck", "--strict")


def test_readers_go_on_beside_a_rebuild(service: Service, remote: Path) -> None:
    """Several readers find the damage at once: all get their answer, and one rebuild serves them all."""
    stub = service.stub()
    head = fetch(stub).new_oid
    service.servicer.parts.pool.evict(service.mirror())
    spoil(service.mirror())
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")

    def read(_: int) -> bytes:
        return stub.ReadFile(request, metadata=META).content

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert set(pool.map(read, range(12))) == {b"version 2\n"}


def test_many_packs_are_put_together(service: Service, remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fetch and commit leaves a pack; no request folds them up, but it has housekeeping do it soon."""
    monkeypatch.setattr(upkeep, "MANY_PACKS", 5)
    stub = service.stub()
    head = fetch(stub).new_oid
    made = [commit(stub, head, {b"x": b"%d" % n}, keep_as=f"publications/{n}").commit_oid for n in range(8)]
    commit_file(remote, "records/new.json", "{}")
    fetch(stub)
    mirror = service.mirror()
    assert len(list(mirror.glob("objects/pack/*.pack"))) > 5
    assert service.servicer.parts.wanted.is_set()
    monkeypatch.setattr(housekeeping, "FEW_PACKS", 5)
    housekeeping.Housekeeping(service.servicer.parts, housekeeping.Schedule()).round()
    assert len(list(mirror.glob("objects/pack/*.pack"))) < 5
    git(mirror, "fsck", "--strict", "--no-dangling")
    for oid in made:
        assert git(mirror, "cat-file", "-t", oid) == "commit"
