"""What every forge's adapter promises; each forge runs all of it."""

import time
from typing import TYPE_CHECKING

import pytest

from services.core.errors import (
    AlreadyExistsError,
    BusyError,
    ForbiddenError,
    InvalidInputError,
    LockstepError,
    NotFoundError,
    SignInError,
    UnavailableError,
)
from services.forges.models import PullRequest
from services.forges.ports import Forge
from tests.contract.world import World
from tests.standins import forge_repositories as repositories
from tests.standins.forge_state import Method

if TYPE_CHECKING:
    from collections.abc import Callable


class ForgeContract:
    """Promises that hold on each forge as it normally works."""

    def test_a_pull_request_is_opened_from_a_pushed_branch(self, world: World) -> None:
        """Number, address, branches, head commit, title and body come back as they are on the forge."""
        path = world.repository("opened")
        head = world.branch(path, "lockstep/01abc")
        with world.requests() as asked:
            made = _create(world, path, "lockstep/01abc", title="Two records", body="* a\n* b\n")
        [there] = world.standin.pull_requests(path)
        assert made == PullRequest(
            number=1,
            url=made.url,
            state="open",
            head_branch="lockstep/01abc",
            head_oid=head,
            base_branch="main",
            title="Two records",
            body="* a\n* b\n",
            merge_commit_oid="",
        )
        assert made.url.startswith(f"{world.standin.url}/{path}/")
        assert (there.title, there.body) == ("Two records", "* a\n* b\n")
        assert asked == [world.endpoints["create"]]

    def test_a_pull_request_is_found_by_its_branch_in_one_request(self, world: World) -> None:
        """The newest is found, in any state; other branches' are not."""
        path = world.repository("found")
        world.branch(path, "lockstep/one")
        world.branch(path, "lockstep/one-more", b"{}\n")
        forge = world.connect(path)
        assert forge.find_pull_request("lockstep/one") is None
        _create(world, path, "lockstep/one-more")
        first = _create(world, path, "lockstep/one")
        world.standin.close(path, first.number)
        closed = forge.find_pull_request("lockstep/one")
        assert closed is not None
        assert (closed.number, closed.state) == (first.number, "closed")
        second = _create(world, path, "lockstep/one")
        with world.requests() as asked:
            assert forge.find_pull_request("lockstep/one") == second
        assert asked == [world.endpoints["find"]]

    def test_title_and_body_are_replaced_in_one_request(self, world: World) -> None:
        """An update changes both and nothing else."""
        path = world.repository("updated")
        world.branch(path, "lockstep/x")
        made = _create(world, path, "lockstep/x")
        with world.requests() as asked:
            changed = world.connect(path).update_pull_request(made.number, title="New", body="Text")
        assert (changed.title, changed.body, changed.state) == ("New", "Text", "open")
        assert (changed.number, changed.head_oid) == (made.number, made.head_oid)
        assert asked == [world.endpoints["update"]]

    def test_the_head_follows_the_branch(self, world: World) -> None:
        """A reviewer's commit on the branch is seen on the next reading."""
        path = world.repository("pushed-again")
        world.branch(path, "lockstep/x")
        made = _create(world, path, "lockstep/x")
        head = world.branch(path, "lockstep/x", b'{"id": "b", "by": "reviewer"}\n')
        with world.requests() as asked:
            read = world.connect(path).read_pull_request(made.number)
        assert read.head_oid == head != made.head_oid
        assert asked == [world.endpoints["read"]]

    def test_closing_is_seen_and_may_be_repeated(self, world: World) -> None:
        """A closed pull request is closed, not merged, and closing it again changes nothing."""
        path = world.repository("closed")
        world.branch(path, "lockstep/x")
        forge, made = world.connect(path), _create(world, path, "lockstep/x")
        assert forge.close_pull_request(made.number).state == "closed"
        again = forge.close_pull_request(made.number)
        assert (again.state, again.merge_commit_oid) == ("closed", "")
        assert world.standin.pull_requests(path)[0].state == "closed"

    @pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
    def test_a_merge_is_seen_whichever_button_was_pressed(self, world: World, method: Method) -> None:
        """The state is "merged" and the commit named is on the target branch with the content."""
        path = world.repository(f"merged-by-{method}")
        world.branch(path, "lockstep/x")
        made = _create(world, path, "lockstep/x")
        world.standin.commit(path, "main", {"other.txt": b"meanwhile\n"})
        tip = world.standin.merge(path, made.number, method, delete_branch=True)
        read = world.connect(path).read_pull_request(made.number)
        bare = world.standin.repository(path).bare
        assert (read.state, read.merge_commit_oid) == ("merged", tip)
        assert repositories.oid_of(bare, "main") == tip
        assert repositories.git(bare, "show", f"{tip}:records/b.json") == '{"id": "b"}'
        assert repositories.git(bare, "show", f"{tip}:other.txt") == "meanwhile"
        found = world.connect(path).find_pull_request("lockstep/x")
        assert found is not None
        assert (found.state, found.number) == ("merged", made.number)

    def test_a_fork_proposes_to_its_origin(self, world: World) -> None:
        """A branch of a fork becomes a pull request into the origin; somebody else's is not mixed up."""
        path = world.repository("origin")
        for owner in ("bob", "carol"):
            world.standin.fork(f"{owner}/origin", path)
        world.branch("carol/origin", "lockstep/x", b"carol\n")
        head = world.branch("bob/origin", "lockstep/x", b"bob\n")
        token = world.standin.token("bob", permissions={path: "read"})
        forge = world.connect(path, push="bob/origin", token=token)
        hers = world.connect(path, push="carol/origin", token=world.standin.token("carol"))
        theirs = _open(hers, "lockstep/x")
        assert forge.find_pull_request("lockstep/x") is None
        made = _open(forge, "lockstep/x")
        assert (made.head_branch, made.head_oid, made.base_branch) == ("lockstep/x", head, "main")
        sources = [pull.source.path for pull in world.standin.pull_requests(path)]
        assert sources == ["carol/origin", "bob/origin"]
        assert forge.find_pull_request("lockstep/x") == made
        assert hers.find_pull_request("lockstep/x") == theirs

    def test_a_fork_beside_its_origin_is_told_apart(self, world: World) -> None:
        """Where the same group owns both, the pull request still comes from the fork."""
        path = world.repository("side")
        fork = f"{world.group}/side-fork"
        world.standin.fork(fork, path)
        world.branch(path, "lockstep/x", b"origin\n")
        head = world.branch(fork, "lockstep/x", b"fork\n")
        forge = world.connect(path, push=fork)
        made = _open(forge, "lockstep/x")
        assert made.head_oid == head
        assert forge.find_pull_request("lockstep/x") == made
        assert world.connect(path).find_pull_request("lockstep/x") is None

    def test_names_and_texts_of_all_kinds_arrive_unchanged(self, world: World) -> None:
        """Repository names around ".git", slashes and odd signs in branches, any script in texts."""
        path = world.repository("my.github.io-audit.gitx")
        branch = "lockstep/2026/é+#%&=ü"
        head = world.branch(path, branch)
        title, body = 'Ænderung «43» 日本 🎉 "x" <b>', "Zeile\r\n\n| a | b |\n`x` & %2F\n"
        made = _create(world, path, branch, title=title, body=body)
        assert (made.title, made.body, made.head_branch, made.head_oid) == (title, body, branch, head)
        assert world.connect(path).find_pull_request(branch) == made

    def test_an_empty_body_is_an_empty_text(self, world: World) -> None:
        """No body is "", not None."""
        path = world.repository("bodiless")
        world.branch(path, "lockstep/x")
        assert _create(world, path, "lockstep/x", body="").body == ""

    def test_a_second_pull_request_for_a_branch_already_exists(self, world: World) -> None:
        """The forge's refusal is told from other ones, so that the first can be looked up."""
        path = world.repository("twice")
        world.branch(path, "lockstep/x")
        _create(world, path, "lockstep/x")
        with pytest.raises(AlreadyExistsError):
            _create(world, path, "lockstep/x")
        assert len(world.standin.pull_requests(path)) == 1

    def test_a_branch_that_is_missing_or_has_nothing_new_is_refused(self, world: World) -> None:
        """What the forge refuses is the caller's input, in the forge's words, with a remedy."""
        path = world.repository("refused")
        with pytest.raises(InvalidInputError) as missing:
            _create(world, path, "lockstep/none")
        assert missing.value.remedy
        world.standin.commit(path, "lockstep/same", {"x": b"x"})
        world.standin.commit(path, "main", {"x": b"x"})
        bare = world.standin.repository(path).bare
        repositories.git(bare, "update-ref", "refs/heads/lockstep/same", repositories.oid_of(bare, "main"))
        with pytest.raises(InvalidInputError):
            _create(world, path, "lockstep/same")

    def test_the_project_is_described(self, world: World) -> None:
        """Path, clone address, default branch and what the token may do, in one request."""
        path = world.repository("described")
        with world.requests() as asked:
            project = world.connect(path).project()
        assert (project.path, project.default_branch, project.permission) == (path, "main", "write")
        assert project.http_url == world.standin.git_url(path)
        assert project.id == str(world.standin.repository(path).id)
        assert project.lfs_enabled == (world.standin.kind == "gitlab")
        assert asked == [world.endpoints["project"]]
        for permission in ("admin", "read"):
            token = world.standin.token(permission=permission)
            assert world.connect(path, token=token).project().permission == permission

    def test_the_profile_names_the_token_s_owner_scopes_and_end(self, world: World) -> None:
        """Whose token it is, what it may do, and until when."""
        path = world.repository("profile")
        end = (int(time.time()) // 86400 + 30) * 86400
        token = world.standin.token("doerte", name="Dörte Ø", scopes=("repo", "read:org"), expires_at=end)
        profile = world.connect(path, token=token).profile()
        assert (profile.username, profile.name, profile.email) == ("doerte", "Dörte Ø", "doerte@example.org")
        assert profile.id == str(world.standin.state.users["doerte"].id)
        assert profile.scopes == ("repo", "read:org")
        assert profile.expires_at == end

    def test_a_repository_or_pull_request_that_is_not_there_is_not_found(self, world: World) -> None:
        """Also when it is only out of the token's sight; the message names it."""
        path = world.repository("there")
        blind = world.standin.token("eve", permission="none")
        for forge in (world.connect(f"{world.group}/nowhere"), world.connect(path, token=blind)):
            with pytest.raises(NotFoundError, match=r"nowhere|there"):
                forge.project()
        with pytest.raises(NotFoundError, match="77"):
            world.connect(path).read_pull_request(77)

    def test_a_token_that_may_not_write_is_forbidden(self, world: World) -> None:
        """Reading works, opening does not."""
        path = world.repository("read-only")
        world.branch(path, "lockstep/x")
        forge = world.connect(path, token=world.standin.token("frank", permission="read"))
        assert forge.find_pull_request("lockstep/x") is None
        with pytest.raises(ForbiddenError):
            _open(forge, "lockstep/x")
        assert world.standin.pull_requests(path) == []


class FaultContract:
    """Promises that hold when the forge or the way to it fails."""

    def test_a_token_that_is_wrong_or_has_ended_asks_for_a_new_one(self, world: World) -> None:
        """The error names the command that stores one, and never the token."""
        path = world.repository("signed-out")
        for token in ("wrong-t0ken-value", world.standin.token(expires_at=time.time() - 5)):
            forge = world.connect(path, token=token)
            for call in (forge.profile, forge.project, lambda f=forge: f.read_pull_request(1)):
                with pytest.raises(SignInError, match="--token-stdin") as refused:
                    call()
                assert refused.value.reason == "FORGE_TOKEN"
                assert token not in _everything(refused.value)

    @pytest.mark.parametrize(
        ("headers", "least", "most"),
        [
            ({"Retry-After": "17"}, 17, 17),
            ({"RateLimit-Reset": "+40", "X-RateLimit-Reset": "+40"}, 30, 41),
            ({}, 60, 60),
        ],
    )
    def test_a_rate_limit_says_how_long_to_wait(
        self, world: World, headers: dict[str, str], least: float, most: float
    ) -> None:
        """The pause comes from the forge's headers; nothing is repeated or slept through here."""
        path = world.repository(f"limited-{least}")
        world.branch(path, "lockstep/x")
        forge = world.connect(path)
        reset = {k: str(int(time.time()) + int(v)) if v[0] == "+" else v for k, v in headers.items()}
        for operation in ("project", "create", "update"):
            world.standin.faults.next(world.endpoints[operation], status=429, headers=reset)
        started = time.monotonic()
        with world.requests() as asked:
            for call in (
                forge.project,
                lambda: _open(forge, "lockstep/x"),
                lambda: forge.update_pull_request(1, title="t", body=""),
            ):
                with pytest.raises(BusyError) as busy:
                    call()
                assert least <= busy.value.retry_after <= most
        assert asked == [world.endpoints[name] for name in ("project", "create", "update")]
        assert time.monotonic() - started < 5

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_broken_forge_is_asked_once_and_unavailable(self, world: World, status: int) -> None:
        """No POST is repeated behind the caller's back."""
        path = world.repository(f"broken-{status}")
        world.branch(path, "lockstep/x")
        world.standin.faults.next(world.endpoints["create"], status=status)
        with world.requests() as asked, pytest.raises(UnavailableError, match=str(status)):
            _create(world, path, "lockstep/x")
        assert asked == [world.endpoints["create"]]
        assert world.standin.pull_requests(path) == []

    def test_an_answer_lost_on_the_way_is_found_by_looking(self, world: World) -> None:
        """The pull request was opened, the connection cut: it is asked for once, then found by its branch."""
        path = world.repository("lost")
        world.branch(path, "lockstep/x")
        world.standin.faults.next(world.endpoints["create"], cut_after_effect=True)
        forge = world.connect(path)
        with world.requests() as asked, pytest.raises(UnavailableError):
            _open(forge, "lockstep/x")
        assert asked == [world.endpoints["create"]]
        found = forge.find_pull_request("lockstep/x")
        assert found is not None
        assert found.number == 1
        assert len(world.standin.pull_requests(path)) == 1

    @pytest.mark.parametrize("operation", ["profile", "project", "find", "create", "read", "update"])
    def test_an_answer_that_is_not_the_forge_s_is_not_believed(self, world: World, operation: str) -> None:
        """A page of some proxy with status 200 is no profile, no project and no pull request."""
        path = world.repository("captive")
        world.branch(path, "lockstep/x")
        world.standin.faults.next(world.endpoints[operation], status=200, message="Welcome to our network")
        forge = world.connect(path)
        calls: dict[str, Callable[[], object]] = {
            "profile": forge.profile,
            "project": forge.project,
            "find": lambda: forge.find_pull_request("lockstep/x"),
            "create": lambda: _open(forge, "lockstep/x"),
            "read": lambda: forge.read_pull_request(1),
            "update": lambda: forge.update_pull_request(1, title="t", body=""),
        }
        with pytest.raises(UnavailableError) as refused:
            calls[operation]()
        assert refused.value.reason == "FORGE_ANSWER"

    def test_a_forge_that_does_not_listen_is_unavailable(self, world: World) -> None:
        """No connection at all is told in one line."""
        path = world.repository("gone")
        forge = world.connect(path)
        world.standin.stop()
        with pytest.raises(UnavailableError) as gone:
            forge.project()
        assert "\n" not in str(gone.value)

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_no_redirect_is_followed(self, world: World, status: int) -> None:
        """A token goes nowhere but to its own host, and a renamed repository is told, not half served."""
        path = world.repository(f"moved-{status}")
        world.branch(path, "lockstep/x")
        elsewhere = {"Location": "http://127.0.0.1:9/elsewhere"}
        for operation in ("project", "create"):
            world.standin.faults.next(world.endpoints[operation], status=status, headers=elsewhere)
        forge = world.connect(path)
        for call in (forge.project, lambda: _open(forge, "lockstep/x")):
            with pytest.raises(LockstepError, match="has moved to") as moved:
                call()
            assert moved.value.reason == "REPOSITORY_MOVED"

    def test_no_error_shows_the_token(self, world: World) -> None:
        """Also when the forge's own words repeat it."""
        path = world.repository("canary")
        token = world.standin.token()
        forge = world.connect(path, token=token)
        for status in (403, 422, 418):
            world.standin.faults.next(
                world.endpoints["project"], status=status, message=f"see https://u:{token}@host/ and {token}"
            )
            with pytest.raises(LockstepError) as refused:
                forge.project()
            assert token not in _everything(refused.value)

    def test_proxies_of_the_environment_are_not_used_for_this_machine(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A forge on loopback is reached directly."""
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        path = world.repository("direct")
        assert world.connect(path).project().path == path


def _create(world: World, path: str, branch: str, *, title: str = "Records", body: str = "Body") -> PullRequest:
    return world.connect(path).create_pull_request(head_branch=branch, base_branch="main", title=title, body=body)


def _open(forge: Forge, branch: str) -> PullRequest:
    return forge.create_pull_request(head_branch=branch, base_branch="main", title="Records", body="Body")


def _everything(error: LockstepError) -> str:
    chain = [error, error.__cause__, error.__context__ if not error.__suppress_context__ else None]
    return " ".join(f"{one!r} {one} {getattr(one, 'metadata', '')}" for one in chain if one)
