"""Review: the queue, reservations, verdicts, and what they let through to a publication."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.errors import (
    ForbiddenError,
    InvalidInputError,
    LockstepError,
    MovedError,
    NeedsPersonError,
    NotFoundError,
    StateError,
)
from services.core.values import dumps
from services.runtime.identity import Role
from tests.integration.sync.world import NOW, WORKSPACE, SyncWorld, sync_world
from tests.remote import Remote

RULES = dumps([{"field": "title", "min_length": 10}, {"field": "importance", "minimum": 1, "weight": 3}])
FILES = {
    "data/low.json": '{"id": "low", "title": "A low one here", "importance": 2, "date": "2020-01-01"}\n',
    "data/late.json": '{"id": "late", "title": "Short", "importance": 9, "date": "2021-05-01T10:00:00Z"}\n',
    "data/early.json": '{"id": "early", "title": "An early one", "importance": 9, "date": "2019-05-01"}\n',
    "data/half.json": '{"id": "half", "title": "A half one here", "importance": 9.5}\n',
    "data/none.json": '{"id": "none", "title": "Nothing\\u0000 known", "date": "soon"}\n',
    "data/odd.json": '{"id": "odd", "title": "Odd", "importance": "9", "date": 2020}\n',
}
ORDER = ["half", "early", "late", "low", "none", "odd"]


class Clock:
    """The time, put forward by tests."""

    now = float(NOW)

    def __call__(self) -> float:
        """Give seconds since the epoch."""
        return self.now


class Reviews:
    """The calls of one person."""

    def __init__(self, stub: sync_pb2_grpc.SyncServiceStub) -> None:
        """Take a stub that calls as the person."""
        self._stub = stub

    def queue(self, **filters: Any) -> list[sync_pb2.Record]:
        """Give the queue, read two a page."""
        found: list[sync_pb2.Record] = []
        token = ""
        while True:
            request = sync_pb2.ListReviewsRequest(workspace_id=WORKSPACE, page_size=2, page_token=token, **filters)
            answer = self._stub.ListReviews(request)
            found += answer.records
            token = answer.next_page_token
            if not token:
                return found

    def ids(self, **filters: Any) -> list[str]:
        """Give the ids in the queue."""
        return [record.id for record in self.queue(**filters)]

    def reserve(self, record: str = "", **more: Any) -> sync_pb2.Record:
        """Reserve a record."""
        request = sync_pb2.ReserveReviewRequest(workspace_id=WORKSPACE, record_id=record, **more)
        return self._stub.ReserveReview(request).record

    def release(self, record: str) -> sync_pb2.Record:
        """Give a reservation back."""
        return self._stub.ReleaseReview(sync_pb2.ReleaseReviewRequest(workspace_id=WORKSPACE, record_id=record)).record

    def validate(self, record: str, **more: Any) -> sync_pb2.Record:
        """Validate a record."""
        return self._give(record, sync_pb2.REVIEW_STATE_VALIDATED, **more)

    def reject(self, record: str, reason: str, **more: Any) -> sync_pb2.Record:
        """Reject a record."""
        return self._give(record, sync_pb2.REVIEW_STATE_REJECTED, reason=reason, **more)

    def _give(self, record: str, verdict: sync_pb2.ReviewState.ValueType, **more: Any) -> sync_pb2.Record:
        request = sync_pb2.ReviewRecordRequest(workspace_id=WORKSPACE, record_id=record, verdict=verdict, **more)
        return self._stub.ReviewRecord(request).record


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def world(tmp_path: Path, database_url: str, clock: Clock) -> Iterator[SyncWorld]:
    """Give services with an imported collection that asks for review."""
    remote = Remote.create(tmp_path / "remote.git", FILES)
    with sync_world(tmp_path / "services", database_url, clock) as running:
        running.attach(remote.url)
        running.collection(review_required=True, quality=RULES)
        running.pull()
        yield running


@pytest.fixture
def ada(world: SyncWorld) -> Reviews:
    """Give one reviewer."""
    return Reviews(world.stub_as(username="ada", role=Role.REVIEWER))


@pytest.fixture
def bob(world: SyncWorld) -> Reviews:
    """Give another reviewer."""
    return Reviews(world.stub_as(username="bob", role=Role.REVIEWER))


def test_the_queue_goes_by_importance_then_date(world: SyncWorld, ada: Reviews) -> None:
    """Fractions count, times count by their day; what has no importance or date comes last. Pages keep the order."""
    assert ada.ids() == ORDER
    [half] = [record for record in ada.queue() if record.id == "half"]
    assert half.review.state == sync_pb2.REVIEW_STATE_UNREVIEWED
    world.edit("low", size=1)
    assert ada.ids(pending_only=True) == ["low"]
    late = next(record for record in ada.queue() if record.id == "late")
    assert (late.quality, [f.pointer for f in late.findings]) == (7.5, ["/title"])


def test_the_next_one_is_nobody_elses(ada: Reviews, bob: Reviews, clock: Clock) -> None:
    """Two reviewers get different records; after an hour a reservation has ended by itself."""
    first, second = ada.reserve(), bob.reserve()
    assert [first.id, second.id] == ORDER[:2]
    assert (first.review.by, first.review.until) == ("ada", NOW + 3600)
    with pytest.raises(StateError, match="reserved by ada for another 60 min"):
        bob.reserve("half")
    assert ada.reserve("half").review.until == NOW + 3600
    clock.now += 3599
    with pytest.raises(StateError, match="another 1 min"):
        bob.validate("half")
    clock.now += 1
    assert bob.reserve("half").review.by == "bob"


def test_reviewers_who_ask_at_once_get_different_records(world: SyncWorld) -> None:
    """Each record goes to one of them."""
    people = [Reviews(world.stub_as(username=f"r{number}", role=Role.REVIEWER)) for number in range(len(ORDER))]
    with ThreadPoolExecutor(len(people)) as pool:
        taken = list(pool.map(lambda person: person.reserve().id, people))
    assert sorted(taken) == sorted(ORDER)


def test_a_reservation_is_given_back(world: SyncWorld, ada: Reviews, bob: Reviews) -> None:
    """By who has it, or by an administrator; then it is unreviewed again."""
    ada.reserve("low")
    with pytest.raises(StateError, match="reserved by ada"):
        bob.release("low")
    assert ada.release("low").review.state == sync_pb2.REVIEW_STATE_UNREVIEWED
    assert ada.release("low").review.state == sync_pb2.REVIEW_STATE_UNREVIEWED
    ada.reserve("low")
    assert Reviews(world.sync).release("low").review.state == sync_pb2.REVIEW_STATE_UNREVIEWED


def test_an_empty_queue_says_so(ada: Reviews) -> None:
    """When all is reserved or reviewed there is no next one."""
    for record in ORDER[:-1]:
        ada.validate(record)
    assert ada.reserve().id == ORDER[-1]
    with pytest.raises(NotFoundError, match="no record waits"):
        ada.reserve()
    assert ada.ids(state=sync_pb2.REVIEW_STATE_VALIDATED) == ORDER[:-1]


def test_a_verdict_is_for_one_revision(world: SyncWorld, ada: Reviews) -> None:
    """An edit makes a validated or rejected record unreviewed again; an old revision is not validated."""
    seen = ada.reserve("low")
    world.edit("low", size=2)
    with pytest.raises(MovedError, match="revision 2, not 1"):
        ada.validate("low", expected_revision=seen.revision)
    done = ada.validate("low", expected_revision=2, reason="checked both sources")
    assert (done.review.state, done.review.by) == (sync_pb2.REVIEW_STATE_VALIDATED, "ada")
    assert (done.review.reason, done.review.time) == ("checked both sources", NOW)
    assert world.record("low").review == done.review
    with pytest.raises(StateError, match="validated already"):
        ada.reserve("low")
    rejected = ada.reject("late", "the date is wrong")
    assert rejected.review.reason == "the date is wrong"
    assert ada.ids() == [one for one in ORDER if one not in ("low", "late")]
    for record in ("low", "late"):
        assert world.edit(record, size=9).review.state == sync_pb2.REVIEW_STATE_UNREVIEWED
    assert ada.ids() == ORDER


def test_a_change_that_git_brings_needs_a_review_too(world: SyncWorld, ada: Reviews, tmp_path: Path) -> None:
    """An import that changes the content makes it unreviewed; one that only moves the file does not."""
    ada.validate("low")
    ada.validate("late")
    remote = Remote(tmp_path / "remote.git")
    text = FILES["data/late.json"]
    remote.commit({"data/low.json": '{"id": "low", "title": "Another"}', "data/late.json": None, "data/l.json": text})
    world.pull()
    assert ada.ids(state=sync_pb2.REVIEW_STATE_VALIDATED) == ["late"]


def test_only_validated_records_are_published(world: SyncWorld, ada: Reviews) -> None:
    """Of all that are pending the others are left out and named; one that is asked for by name is refused."""
    for record in ("low", "late", "early"):
        world.edit(record, size=1)
    with pytest.raises(NeedsPersonError, match=r"3 of 3 records are not validated.*--override-review") as refused:
        world.reserve("p0")
    assert (refused.value.why, sorted(refused.value.ids)) == ("review", ["early", "late", "low"])
    ada.validate("low")
    ada.reject("late", "no")
    with pytest.raises(NeedsPersonError, match="1 of 2 records are not validated: 'late'"):
        world.reserve("p1", "low", "late")
    request = sync_pb2.ReserveRecordsRequest(workspace_id=WORKSPACE, publication_id="p2")
    [answer] = world.stub_as(service="pr").ReserveRecords(request)
    assert sorted(answer.awaiting_review) == ["early", "late"]
    assert [(r.record_id, r.review) for r in answer.records] == [("low", sync_pb2.REVIEW_STATE_VALIDATED)]


def test_an_override_takes_them_along_and_says_so(world: SyncWorld, ada: Reviews) -> None:
    """Every record says how far its review had come."""
    for record in ("low", "late", "early"):
        world.edit(record, size=1)
    world.delete("none")
    ada.validate("low")
    ada.reject("late", "no")
    ada.reserve("early")
    request = sync_pb2.ReserveRecordsRequest(
        workspace_id=WORKSPACE, publication_id="p1", override_review="it is urgent"
    )
    [answer] = world.stub_as(service="pr").ReserveRecords(request)
    assert {r.record_id: r.review for r in answer.records} == {
        "low": sync_pb2.REVIEW_STATE_VALIDATED,
        "late": sync_pb2.REVIEW_STATE_REJECTED,
        "early": sync_pb2.REVIEW_STATE_RESERVED,
        "none": sync_pb2.REVIEW_STATE_UNREVIEWED,
    }
    assert not answer.awaiting_review


def test_what_is_merged_stays_validated(world: SyncWorld, ada: Reviews, tmp_path: Path) -> None:
    """The import of a publication's own content is no edit."""
    world.edit("low", size=1)
    ada.validate("low")
    [reserved] = world.reserve()
    Remote(tmp_path / "remote.git").commit({reserved.path.decode(): reserved.file_content})
    world.pull()
    assert world.reservations() == {"low": True}
    assert world.record("low").review.state == sync_pb2.REVIEW_STATE_VALIDATED


def test_the_same_request_is_one_reservation(ada: Reviews) -> None:
    """A repeated request for the next record gives the same one."""
    assert ada.reserve(request_id="r1").id == ada.reserve(request_id="r1").id == ORDER[0]


def test_reviews_are_for_reviewers_and_collections_that_ask(world: SyncWorld) -> None:
    """An editor may look but not judge; where no review is asked for there is none, and publishing needs none."""
    editor = Reviews(world.stub_as(username="eve", role=Role.EDITOR))
    assert editor.ids() == ORDER
    with pytest.raises(ForbiddenError):
        editor.reserve()
    with pytest.raises(ForbiddenError):
        editor.validate("low")
    with pytest.raises(ForbiddenError):
        editor.reject("low", "x")
    with pytest.raises(InvalidInputError, match="reason"):
        Reviews(world.sync).reject("low", " ")
    settings = sync_pb2.Collection(name="things", path="data")
    request = sync_pb2.UpdateCollectionRequest(workspace_id=WORKSPACE, collection=settings)
    world.sync.UpdateCollection(request)
    world.pull()
    assert editor.ids() == []
    with pytest.raises(LockstepError, match="asks for no review"):
        Reviews(world.sync).validate("low")
    world.edit("low", size=3)
    assert [r.review for r in world.reserve()] == [sync_pb2.REVIEW_STATE_UNSPECIFIED]
    assert not world.record("low").HasField("review")


def test_reasons_come_with_records_where_asked_for(world: SyncWorld) -> None:
    """One record always says what keeps it from ten; a list on request."""
    assert [f.message for f in world.record("odd").findings] == [
        "title is shorter than 10",
        "importance is below 1",
    ]
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, with_findings=True)
    found = {r.id: [f.rule for f in r.findings] for r in world.sync.ListRecords(request).records}
    assert (found["early"], found["none"]) == ([], ["required"])
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE)
    assert not any(r.findings for r in world.sync.ListRecords(request).records)
