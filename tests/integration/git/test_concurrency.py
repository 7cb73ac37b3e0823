"""Many at once: one writer for each workspace, readers beside it, bounded queues, no tenant in another's way."""

import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from protos.git.v1 import git_pb2, git_pb2_grpc
from services.core import errors
from services.git.locks import MAX_WAITING
from services.git.ports import RemoteAddress, Token
from services.git.remotes import Policy
from services.runtime.clients import as_tenant
from services.runtime.identity import Identity, Role, sign
from tests.integration.git.conftest import META, TENANT, WORKSPACE, Service, commit_file, fetch, make_repository
from tests.integration.git.lone import Launcher, gits_at, launch, until
from tests.integration.git.test_remotes import LISTED, stuck
from tests.integration.git.test_writing import commit, push
from tests.standins.git_http import GitHost, git

__all__ = ["launch"]


def read_file(stub: git_pb2_grpc.GitServiceStub, head: str, seconds: float = 30) -> bytes:
    """Read the readme."""
    request = git_pb2.ReadFileRequest(workspace_id=WORKSPACE, commit_oid=head, path=b"README.md")
    return stub.ReadFile(request, metadata=META, timeout=seconds).content


@contextlib.contextmanager
def hanging(count: int, call: Callable[[], object]) -> Iterator[list[Exception]]:
    """Have calls that hang; what became of them is in the list at the end."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            call()
        except errors.LockstepError as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        for thread in threads:
            thread.join(60)


def test_writers_of_one_workspace_take_turns_and_lose_nothing(service: Service, remote: Path) -> None:
    """Commits, fetches and pushes at the same time: every commit is there, whole, and under its name."""
    stub = service.stub()
    head = fetch(stub).new_oid

    def work(number: int) -> str:
        for attempt in range(50):
            try:
                made = commit(stub, head, {b"n": b"%d" % number}, keep_as=f"c/{number}").commit_oid
                push(stub, f"b{number}", made, "")
                fetch(stub)
            except errors.BusyError as busy:
                time.sleep(min(0.05 * attempt, busy.retry_after))
            else:
                return made
        raise AssertionError("never came through")

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        made = list(pool.map(work, range(24)))
    assert [git(service.mirror(), "rev-parse", f"refs/lockstep/c/{n}") for n in range(24)] == made
    assert [git(remote, "rev-parse", f"b{n}") for n in range(24)] == made
    git(service.mirror(), "fsck", "--strict", "--no-dangling")


def test_readers_do_not_wait_for_a_writer(service: Service, host: GitHost) -> None:
    """A fetch hangs for as long as it likes: reading, comparing and listing are answered meanwhile."""
    host.token = ""
    service.workspaces.put(f"{host.url}/records.git")
    stub = service.stub()
    head = fetch(stub).new_oid
    commit_file(host.folder / "records.git", "records/n.json", "{}")
    with stuck(host, LISTED):
        running = stub.Fetch(git_pb2.FetchRequest(workspace_id=WORKSPACE), metadata=META)
        until(lambda: gits_at(service.data, "fetch"))
        for _ in range(20):
            assert read_file(stub, head, seconds=5) == b"version 2\n"
        running.cancel()


def test_two_services_on_one_folder_exclude_each_other(launch: Launcher, host: GitHost) -> None:
    """While one process writes a workspace another one waits, then says BUSY; reading goes on in both."""
    host.token = ""
    url = f"{host.url}/records.git"
    first, second = launch(url, lock_seconds=1.0), launch(url, lock_seconds=1.0)
    head = fetch(first.stub).new_oid
    assert fetch(second.stub).new_oid == head
    commit_file(host.folder / "records.git", "records/n.json", "{}")
    with stuck(host, LISTED):
        running = first.stub.Fetch(git_pb2.FetchRequest(workspace_id=WORKSPACE), metadata=META)
        until(lambda: gits_at(first.data, "fetch"))
        with pytest.raises(errors.BusyError) as busy:
            commit(second.stub, head, {b"x": b"1"})
        assert busy.value.retry_after > 0
        assert read_file(second.stub, head) == b"version 2\n"
        running.cancel()
    assert commit(second.stub, head, {b"x": b"1"}).commit_oid


def test_two_services_write_one_folder_in_turns(launch: Launcher, bare: Path) -> None:
    """Two processes commit and fetch as fast as they can: all commits are there and the mirror is sound."""
    url = f"file://{bare}"
    services = [launch(url), launch(url)]
    head = fetch(services[0].stub).new_oid
    elsewhere = threading.Lock()

    def work(number: int) -> str:
        stub = services[number % 2].stub
        made = commit(stub, head, {b"n": b"%d" % number}, keep_as=f"c/{number}").commit_oid
        if number % 5 == 0:
            with elsewhere:
                commit_file(bare, f"records/n{number}.json", "{}")
            fetch(stub)
        return made

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = list(pool.map(work, range(30)))
    mirror = services[0].data / "git" / TENANT / f"{WORKSPACE}.git"
    assert [git(mirror, "rev-parse", f"refs/lockstep/c/{n}") for n in range(30)] == made
    git(mirror, "fsck", "--strict", "--no-dangling")


def test_the_queue_of_a_workspace_is_bounded(start: Callable[..., Service], bare: Path) -> None:
    """More writers than may wait are told at once when to come back, with RetryInfo on the wire."""
    service = start(Policy(Policy.standalone().allowed_protocols, allow_private_addresses=True), data="queue")
    service.workspaces.put(f"file://{bare}")
    stub = service.stub()
    head = fetch(stub).new_oid
    held = contextlib.ExitStack()
    held.enter_context(service.servicer.parts.locks.hold(service.mirror().with_suffix(".lock")))
    with hanging(MAX_WAITING + 4, lambda: commit(stub, head, {b"x": b"1"})) as failed:
        until(lambda: len(failed) == 4, seconds=10)
        held.close()
    assert len(failed) == 4
    assert all(isinstance(error, errors.BusyError) and error.retry_after > 0 for error in failed)


def test_a_slow_tenant_does_not_starve_another(service: Service, host: GitHost, tmp_path: Path) -> None:
    """One tenant's remote hangs in as many calls as it likes to make: the other's calls are answered as ever."""
    host.token = ""
    other = make_repository(tmp_path / "other", "records")
    for number in range(100):
        address = RemoteAddress(f"{host.url}/records.git", f"{host.url}/records.git", "main", "u", Token(""))
        service.workspaces.known["slow", f"w{number}"] = address
    service.workspaces.put(f"file://{other}")
    quick, slow = service.stub(), service.stub(tenant="slow")
    head = fetch(quick).new_oid
    numbers = iter(range(100))

    def hang() -> None:
        request = git_pb2.FetchRequest(workspace_id=f"w{next(numbers)}")
        list(slow.Fetch(request, metadata=as_tenant("slow"), timeout=60))

    with stuck(host), hanging(80, hang) as failed:
        until(lambda: len(failed) > 30)
        assert all(isinstance(error, errors.BusyError) for error in failed)
        took = []
        for _ in range(20):
            started = time.monotonic()
            assert read_file(quick, head) == b"version 2\n"
            fetch(quick)
            took.append(time.monotonic() - started)
        assert sorted(took)[10] < 2.0
        assert host.wrong.hang
        host.wrong.hang.set()


def test_a_full_server_answers_resource_exhausted_with_retry_info(service: Service, host: GitHost) -> None:
    """On the wire: the status code and how long to wait, not a plain refusal, and health checks are answered."""
    host.token = ""
    service.workspaces.put(f"{host.url}/records.git")
    for number in range(100):
        service.workspaces.put(f"{host.url}/records.git", workspace=f"w{number}")
    stub = service.stub()
    numbers = iter(range(100))

    def hang() -> None:
        request = git_pb2.FetchRequest(workspace_id=f"w{next(numbers)}")
        list(stub.Fetch(request, metadata=META, timeout=60))

    with stuck(host), hanging(80, hang) as failed:
        until(lambda: len(failed) > 30)
        with grpc.insecure_channel(service.running.address) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                health_pb2.HealthCheckRequest.SerializeToString,
                health_pb2.HealthCheckResponse.FromString,
            )
            health = check(health_pb2.HealthCheckRequest(), timeout=5)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            request = git_pb2.GetStatusRequest(workspace_id=WORKSPACE)
            call = git_pb2_grpc.GitServiceStub(channel).GetStatus.future(request, metadata=bearer(service), timeout=5)
            assert call.exception()
        assert call.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(call)
        assert status
        assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)
        assert host.wrong.hang
        host.wrong.hang.set()
    assert all(isinstance(error, errors.BusyError) and error.retry_after > 0 for error in failed)


def bearer(service: Service) -> tuple[tuple[str, str], ...]:
    """Give the metadata of a caller, as it is on the wire."""
    identity = Identity(TENANT, "u1", "ada", "Ada", "ada@lockstep.invalid", Role.VIEWER, "sync")
    return (("authorization", "Bearer " + sign(identity, key=service.key, key_id="k", now=int(time.time()), jti="j")),)
