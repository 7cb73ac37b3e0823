"""Publications at a forge: its answers, its refusals, and what people do there."""

from collections.abc import Callable

import pytest

from protos.pr.v1 import pr_pb2
from services.core.errors import (
    InvalidInputError,
    LockstepError,
    NeedsPersonError,
    SignInError,
    StateError,
    UnavailableError,
)
from tests.fakes.forge import FakeForge
from tests.fakes.world import World
from tests.integration.pr.installation import Installation

PUSHED = pr_pb2.PUBLICATION_STATE_PUSHED
OPENED = pr_pb2.PUBLICATION_STATE_OPENED
MERGED = pr_pb2.PUBLICATION_STATE_MERGED
CLOSED = pr_pb2.PUBLICATION_STATE_CLOSED
FAILED = pr_pb2.PUBLICATION_STATE_FAILED
Install = Callable[..., Installation]


@pytest.fixture
def forge(world: World) -> FakeForge:
    """Give a forge for the world's repository."""
    world.forge = 2
    return FakeForge(world)


@pytest.fixture
def pr(install: Install, forge: FakeForge) -> Installation:
    """Give a pr service that uses the forge."""
    return install(connect_forge=forge.connect)


def test_a_lost_answer_makes_no_second_pull_request(pr: Installation, world: World, forge: FakeForge) -> None:
    """The forge opened it and the answer got lost: it is found by its branch."""

    def cut() -> None:
        forge.after_create = lambda: None
        raise UnavailableError("the connection was cut")

    forge.after_create = cut
    made = pr.until(pr.create().id, OPENED)
    assert (made.pr_number, made.pr_url, made.error) == (7, "https://forge.test/pull/7", "")
    assert len(forge.pull_requests) == 1


def test_what_may_pass_is_tried_again(pr: Installation, world: World, forge: FakeForge) -> None:
    """Faults of git, sync and forge that may pass delay a publication, and leave no error on it."""
    world.fail("CreateCommit", UnavailableError("git is away"))
    world.fail("Push", UnavailableError("no network", reason="NO_NETWORK"))
    world.fail("find_pull_request", UnavailableError("502"))
    assert pr.until(pr.create().id, OPENED).error == ""


def test_a_refusal_for_good_fails_and_gives_the_records_back(pr: Installation, world: World, forge: FakeForge) -> None:
    """A branch that the remote refuses, a pull request that the forge refuses: nothing is left behind."""
    world.fail("Push", StateError("the branch name is not allowed", reason="PUSH_REJECTED"))
    failed = pr.until(pr.create().id, FAILED)
    assert "not allowed" in failed.error
    assert list(world.pending) == ["fire"]
    world.fail("create_pull_request", InvalidInputError("no commits between main and this"))
    failed = pr.until(pr.create().id, FAILED)
    assert "no commits" in failed.error
    assert list(world.pending) == ["fire"]
    assert list(world.branches) == ["main"]


def test_a_refused_token_waits_for_a_person(pr: Installation, world: World, forge: FakeForge) -> None:
    """The watcher's stream ends with the error; with another token the same publication goes on."""
    refused = SignInError("the forge refuses the token", remedy="store a new token", reason="FORGE_TOKEN")
    world.fail("find_pull_request", refused)
    made = pr.create()
    last = pr.watch(made.id)[-1].publication
    assert last.state == PUSHED
    assert "store a new token" in last.error
    assert not world.pending
    assert pr.refresh(made.id).state == OPENED


def test_a_pull_request_closed_at_the_forge_gives_the_records_back(
    pr: Installation, world: World, forge: FakeForge
) -> None:
    """Closed without merging: pending again."""
    made = pr.until(pr.create().id, OPENED)
    forge.change(made.pr_number, state="closed")
    assert pr.until(made.id, CLOSED).merged_count == 0
    assert list(world.pending) == ["fire"]


def test_merging_is_the_forges_business(pr: Installation, world: World, forge: FakeForge) -> None:
    """The error says where to merge; a squash merge there is recognised by its content."""
    made = pr.until(pr.create().id, OPENED)
    with pytest.raises(StateError, match=r"merge it at https://forge\.test/pull/7"):
        pr.merge(made.id)
    world.commit_to("main", {b"fire.json": b'{"title": 1}'}, "squashed")
    forge.change(made.pr_number, state="merged")
    assert pr.until(made.id, MERGED).error == ""


def test_a_merge_that_left_records_out_says_so(pr: Installation, world: World, forge: FakeForge) -> None:
    """What the target branch holds is merged; the rest is pending again."""
    world.edit("flood", b"2")
    made = pr.until(pr.create().id, OPENED)
    world.commit_to("main", {b"fire.json": b'{"title": 1}'})
    forge.change(made.pr_number, state="merged")
    done = pr.until(made.id, MERGED)
    assert (done.merged_count, done.records_count) == (1, 2)
    assert "1 of 2" in done.error
    assert list(world.pending) == ["flood"]


def test_a_reviewers_own_text_stays(pr: Installation, world: World, forge: FakeForge) -> None:
    """The generated part follows the records; title and text around it stay the reviewer's."""
    world.edit("flood", b"2")
    made = pr.until(pr.create(description="First.").id, OPENED)
    body = forge.pull_requests[made.pr_number].body
    forge.change(made.pr_number, title="Reviewed", body=f"Looks good.\n\n{body}\n\nTwo to go.")
    world.commit_to("main", {b"fire.json": b'{"title": 1}'})
    pr.refresh(made.id)
    seen = pr.get(made.id)
    assert (seen.title, seen.merged_count) == ("Reviewed", 1)
    assert seen.body.startswith("Looks good.\n\nFirst.\n\n")
    assert seen.body.endswith("\n\nTwo to go.")
    assert "Already on the target branch: 1 of 2." in seen.body
    assert world.calls["update_pull_request"] == 1


def test_what_a_reviewer_writes_during_an_import_stays(pr: Installation, world: World, forge: FakeForge) -> None:
    """The text is read again before it is rewritten: the import between may have taken minutes."""
    world.edit("flood", b"2")
    made = pr.until(pr.create().id, OPENED)
    body = forge.pull_requests[made.pr_number].body
    world.commit_to("main", {b"fire.json": b'{"title": 1}'})
    world.during("RunImport", lambda: forge.change(made.pr_number, title="Reviewed", body=f"{body}\n\nOne to go."))
    pr.refresh(made.id)
    seen = pr.get(made.id)
    assert (seen.title, seen.merged_count) == ("Reviewed", 1)
    assert seen.body.endswith("\n\nOne to go.")
    assert forge.pull_requests[made.pr_number].title == "Reviewed"


def test_an_import_that_waits_for_a_person_settles_nothing(pr: Installation, world: World, forge: FakeForge) -> None:
    """The brake's error is shown on the publication and given to who asks; nothing is released meanwhile."""
    made = pr.until(pr.create().id, OPENED)
    held = [NeedsPersonError("the import deletes too much", why="brake", remedy="confirm it") for _ in range(50)]
    world.fail("RunImport", *held)
    forge.change(made.pr_number, state="closed")
    for _ in range(3):
        with pytest.raises(StateError, match="deletes too much"):
            pr.refresh(made.id)
        seen = pr.get(made.id)
        assert (seen.state, "confirm it" in seen.error) == (OPENED, True)
    assert not world.pending
    world.failures.clear()
    assert pr.refresh(made.id).state == CLOSED


def test_an_error_nobody_foresaw_names_no_secret_and_is_tried_again(
    pr: Installation, world: World, forge: FakeForge
) -> None:
    """An internal error is retried; its text is not that of the exception."""
    world.token = "glpat-canary-canary"
    world.fail("find_pull_request", RuntimeError("token glpat-canary-canary"))
    made = pr.until(pr.create().id, OPENED)
    assert "canary" not in str(made)


def test_closing_closes_at_the_forge(pr: Installation, world: World, forge: FakeForge) -> None:
    """The pull request is closed and the branch deleted."""
    made = pr.until(pr.create().id, OPENED)
    assert pr.close(made.id).state == CLOSED
    assert forge.pull_requests[made.pr_number].state == "closed"
    assert list(world.branches) == ["main"]


def test_a_forge_that_refuses_to_close_leaves_all_as_it_was(pr: Installation, world: World, forge: FakeForge) -> None:
    """The caller gets the reason; the publication stays open and is watched on."""
    made = pr.until(pr.create().id, OPENED)
    world.fail("close_pull_request", SignInError("the forge refuses the token", reason="FORGE_TOKEN"))
    with pytest.raises(LockstepError, match="refuses the token"):
        pr.close(made.id)
    assert pr.get(made.id).state == OPENED
    assert not world.pending
    assert pr.close(made.id).state == CLOSED
