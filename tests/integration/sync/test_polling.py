"""Polling: remotes are looked at by themselves, in their own time, and failures are shown."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import ForbiddenError, LockstepError, NeedsPersonError, NotFoundError
from services.runtime.identity import Role
from services.sync.server import Timing, wire_polling
from services.sync.store import Scope
from services.sync.tables import search_texts
from tests.integration.sync.world import NOW, WORKSPACE, SyncWorld, sync_world
from tests.remote import Remote

EVERY = 60
SECONDS = 20.0


class Clock:
    """The time, put forward by tests."""

    now = float(NOW)

    def __call__(self) -> float:
        """Give seconds since the epoch."""
        return self.now


@dataclass
class Intervals:
    """Plays auth: says how often to look, and counts the looks."""

    every: int = EVERY
    gone: bool = False
    looks: list[Scope] = field(default_factory=list)

    def seconds(self, scope: Scope) -> int:
        """Give the interval."""
        if self.gone:
            raise NotFoundError("there is no such workspace")
        self.looks.append(scope)
        return self.every


@dataclass
class Watched:
    """A workspace that is polled."""

    world: SyncWorld
    clock: Clock
    intervals: Intervals

    def standing(self) -> sync_pb2.Polling:
        """Say how its remote is looked at."""
        return self.world.sync.GetPolling(sync_pb2.GetPollingRequest(workspace_id=WORKSPACE)).polling

    def ask(self) -> None:
        """Ask for an import, as a webhook does."""
        self.world.sync.RequestImport(sync_pb2.RequestImportRequest(workspace_id=WORKSPACE))

    def after(self, seconds: float) -> sync_pb2.Polling:
        """Put the clock forward and wait for one look to end; give how it stands then."""
        looks = len(self.intervals.looks)
        self.clock.now += seconds
        self.until(lambda: len(self.intervals.looks) > looks)
        assert len(self.intervals.looks) == looks + 1
        self.until(lambda: self.standing().next_poll != int(self.clock.now) and self.rests())
        return self.standing()

    def rests(self) -> bool:
        """Say whether no job is leased."""
        with self.world.database.read("") as tx:
            leased = tx.exec_driver_sql("SELECT count(*) FROM jobs WHERE lease_until > 0").scalar_one()
        return int(leased) == 0

    def quiet(self, seconds: float) -> None:
        """Put the clock forward; nobody looks."""
        looks = len(self.intervals.looks)
        self.clock.now += seconds
        time.sleep(0.3)
        assert len(self.intervals.looks) == looks

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + SECONDS
        while not true():
            assert time.monotonic() < deadline, self.standing()
            time.sleep(0.02)

    def runs(self) -> list[tuple[str, int]]:
        """Give who started the runs, and their states, newest first."""
        found = self.world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE)).runs
        return [(run.started_by, run.state) for run in found]


@pytest.fixture
def watched(tmp_path: Path, database_url: str, remote: Remote) -> Iterator[Watched]:
    """Give a workspace with a worker that polls it."""
    clock, intervals = Clock(), Intervals()
    with sync_world(tmp_path / "services", database_url, clock) as world:
        world.attach(remote.url)
        world.collection()
        worker = wire_polling(
            world.servicer,
            database=world.database,
            git=world.git,
            intervals=intervals,
            clock=clock,
            timing=Timing(threads=2, idle=0.02),
        )
        worker.start()
        try:
            yield Watched(world, clock, intervals)
        finally:
            worker.stop()


def spread(polling: sync_pb2.Polling, clock: Clock, seconds: float) -> bool:
    """Say whether the next look comes after about so many seconds: a tenth more or less."""
    return seconds * 0.9 - 1 <= polling.next_poll - clock.now <= seconds * 1.1


def test_what_is_new_comes_in_by_itself(watched: Watched, remote: Remote) -> None:
    """After a minute; a look that finds nothing new leaves no run, and the next one comes a minute later."""
    watched.quiet(50)
    first = watched.after(11)
    assert (first.every_seconds, first.last_poll, first.error) == (EVERY, int(watched.clock.now), "")
    assert spread(first, watched.clock, EVERY)
    assert len(watched.world.records()) == 3
    watched.after(70)
    assert watched.runs() == [("polling", sync_pb2.RUN_STATE_SUCCEEDED)]
    remote.commit({"data/d.json": '{"id": "d"}\n'})
    watched.after(70)
    assert watched.world.get("d") == {"id": "d"}
    assert watched.world.status().polling.last_poll == int(watched.clock.now)


def test_a_look_takes_new_records_into_the_search(watched: Watched) -> None:
    """Who searches after it does not wait for the index: nothing is left to take in."""
    watched.after(61)
    with watched.world.database.read("") as tx:
        taken_in = tx.execute(sa.select(sa.func.count()).select_from(search_texts)).scalar_one()
    assert taken_in == len(watched.world.records()) == 3


def test_requests_run_soon_and_as_one(watched: Watched, remote: Remote) -> None:
    """Ten webhooks make one look; where polling is off they are the only reason for one."""
    watched.after(61)
    watched.intervals.every = 0
    off = watched.after(70)
    assert (off.every_seconds, off.next_poll) == (0, 0)
    remote.commit({"data/d.json": '{"id": "d"}\n'})
    watched.quiet(100_000)
    assert "things/d" not in watched.world.records()
    for _ in range(10):
        watched.ask()
    watched.after(3)
    assert "things/d" in watched.world.records()
    watched.quiet(100_000)
    watched.intervals.every = EVERY
    watched.ask()
    assert spread(watched.after(3), watched.clock, EVERY)


def test_a_failing_remote_is_left_alone_longer_and_says_why(watched: Watched, remote: Remote, tmp_path: Path) -> None:
    """Each failure doubles the pause, up to an hour; what works again begins anew."""
    watched.after(61)
    remote.path.rename(tmp_path / "away")
    pauses = [EVERY, 120, 240, 480]
    for failures, pause in enumerate(pauses, start=1):
        failed = watched.after(600)
        assert failed.failures == failures
        assert failed.error
        assert not failed.needs_person
        assert spread(failed, watched.clock, pause)
    for _ in range(4):
        failed = watched.after(5_000)
    assert spread(failed, watched.clock, 3600)
    (tmp_path / "away").rename(remote.path)
    well = watched.after(5_000)
    assert (well.failures, well.error) == (0, "")
    assert spread(well, watched.clock, EVERY)


def test_an_import_by_hand_settles_what_failed(watched: Watched, remote: Remote, tmp_path: Path) -> None:
    """Nobody is shown an error that is over."""
    remote.path.rename(tmp_path / "away")
    assert watched.after(61).error
    (tmp_path / "away").rename(remote.path)
    watched.clock.now += 5
    watched.world.pull()
    assert (watched.standing().error, watched.standing().failures) == ("", 0)


def test_a_brake_waits_for_a_person(watched: Watched, remote: Remote) -> None:
    """It is shown, and tried again only when the remote has moved on, or a person has confirmed."""
    remote.commit({f"data/n{number}.json": f'{{"id": "n{number}"}}\n' for number in range(40)})
    watched.after(61)
    remote.commit({f"data/n{number}.json": None for number in range(40)})
    held = watched.after(70)
    assert held.needs_person
    assert "40 of the 43 records" in held.error
    assert spread(held, watched.clock, EVERY)
    runs = watched.runs()
    assert watched.after(70).needs_person
    assert watched.runs() == runs
    remote.commit({"data/z.json": '{"id": "z"}\n'})
    assert watched.after(70).needs_person
    assert len(watched.runs()) == len(runs) + 1
    with pytest.raises(NeedsPersonError):
        watched.world.pull()
    watched.clock.now += 1
    watched.world.pull(confirm_deletes=True)
    assert not watched.standing().needs_person
    assert watched.standing().error == ""
    assert not watched.after(70).needs_person


def test_a_workspace_that_is_gone_is_looked_at_no_more(watched: Watched) -> None:
    """Whether its data was removed here, or auth does not know it any more."""
    watched.after(61)
    watched.intervals.gone = True
    watched.clock.now += 100
    watched.until(lambda: watched.standing().every_seconds == -1)
    watched.intervals.gone = False
    watched.world.collection(name="other")
    watched.world.sync.DeleteWorkspaceData(sync_pb2.DeleteWorkspaceDataRequest(workspace_id=WORKSPACE, force=True))
    watched.quiet(100_000)
    watched.ask()
    assert watched.standing().every_seconds == -1


def test_an_auth_that_does_not_answer_stops_nothing_for_good(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, and the reason is shown."""

    def fail(_scope: Scope) -> int:
        raise LockstepError("auth does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(watched.intervals, "seconds", fail)
        watched.clock.now += 61
        watched.until(lambda: "auth does not answer" in watched.standing().error)
    watched.clock.now += 600
    watched.until(lambda: watched.standing().error == "" and watched.standing().last_poll > 0)


def test_who_may_ask(watched: Watched) -> None:
    """Viewers may see how it stands; to ask for an import takes an editor."""
    viewer = watched.world.stub_as(role=Role.VIEWER)
    assert viewer.GetPolling(sync_pb2.GetPollingRequest(workspace_id=WORKSPACE)).polling.every_seconds == -1
    with pytest.raises(ForbiddenError):
        viewer.RequestImport(sync_pb2.RequestImportRequest(workspace_id=WORKSPACE))


def test_an_undone_import_is_not_made_again_by_itself(watched: Watched, remote: Remote) -> None:
    """Neither by polling nor for a webhook, and it says so; a person's import brings it, and newer commits come."""
    watched.after(61)
    remote.commit({"data/d.json": '{"id": "d"}\n'})
    watched.after(70)
    newest = watched.world.sync.ListRuns(sync_pb2.ListRunsRequest(workspace_id=WORKSPACE)).runs[0]
    list(watched.world.sync.UndoRun(sync_pb2.UndoRunRequest(workspace_id=WORKSPACE, run_id=newest.id)))
    held = watched.after(70)
    assert held.needs_person
    assert "was undone" in held.error
    watched.ask()
    assert watched.after(3).needs_person
    assert "things/d" not in watched.world.records()
    watched.clock.now += 1
    watched.world.pull()
    assert "things/d" in watched.world.records()
    assert watched.standing().error == ""
