"""The stand-ins are forges to a real Git client too."""

import os
import subprocess
from pathlib import Path

import pytest

from services.forges import select
from tests.standins.forge_server import StandIn


@pytest.fixture(params=["github_standin", "gitlab_standin"])
def standin(request: pytest.FixtureRequest) -> StandIn:
    """Give each of them."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, StandIn)
    return found


def _git(*arguments: str, cwd: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GIT_CONFIG_COUNT": "0", "GIT_ASKPASS": "true"}
    if token:
        environment |= {
            "GIT_ASKPASS": str(cwd / "askpass"),
            "ASKED_TOKEN": token,
        }
        # Git asks for the user name too; forges take any beside a token.
        (cwd / "askpass").write_text('#!/bin/sh\necho "$ASKED_TOKEN"\n')
        (cwd / "askpass").chmod(0o700)
    return subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_a_git_client_clones_and_pushes_with_a_token(standin: StandIn, tmp_path: Path) -> None:
    """What it pushed is in the bare repository, also when it is larger than Git sends at once."""
    bare = standin.create_repository("team/records", {"a.json": b"{}\n"})
    token = standin.token()
    url = standin.git_url("team/records")
    assert _git("clone", "--quiet", url, "work", cwd=tmp_path, token=token).returncode == 0
    work = tmp_path / "work"
    (work / "large.bin").write_bytes(os.urandom(3_000_000))
    assert _git("add", "large.bin", cwd=work).returncode == 0
    assert _git("commit", "--quiet", "-m", "Large", cwd=work).returncode == 0
    pushed = _git("push", "--quiet", "origin", "HEAD:refs/heads/lockstep/x", cwd=work, token=token)
    assert pushed.returncode == 0, pushed.stderr
    head = _git("rev-parse", "HEAD", cwd=work).stdout.strip()
    assert _git("rev-parse", "refs/heads/lockstep/x", cwd=bare).stdout.strip() == head


def test_a_git_client_without_the_right_is_refused(standin: StandIn, tmp_path: Path) -> None:
    """No token, a wrong one, and one that may only read."""
    standin.create_repository("team/records", {"a.json": b"{}\n"})
    url = standin.git_url("team/records")
    assert _git("ls-remote", url, cwd=tmp_path).returncode != 0
    assert _git("ls-remote", url, cwd=tmp_path, token="wrong").returncode != 0
    reader = standin.token("rita", permission="read")
    assert _git("clone", "--quiet", url, "work", cwd=tmp_path, token=reader).returncode == 0
    pushed = _git("push", "origin", "HEAD:refs/heads/x", cwd=tmp_path / "work", token=reader)
    assert "403" in pushed.stderr


def test_a_public_repository_is_read_without_a_token(standin: StandIn, tmp_path: Path) -> None:
    """By Git and by the API."""
    standin.create_repository("team/open", {"a.json": b"{}\n"}, is_private=False)
    url = standin.git_url("team/open")
    assert _git("clone", "--quiet", url, "work", cwd=tmp_path).returncode == 0
    assert select.connect(standin.kind, url, url, "").project().permission == "read"


def test_a_push_can_lose_its_answer(standin: StandIn, tmp_path: Path) -> None:
    """The branch is there although the client saw a failure."""
    bare = standin.create_repository("team/records", {"a.json": b"{}\n"})
    token, url = standin.token(), standin.git_url("team/records")
    assert _git("clone", "--quiet", url, "work", cwd=tmp_path, token=token).returncode == 0
    standin.faults.next("POST /{}/git-receive-pack", cut_after_effect=True)
    pushed = _git("push", "origin", "HEAD:refs/heads/lost", cwd=tmp_path / "work", token=token)
    assert pushed.returncode != 0
    assert _git("rev-parse", "--verify", "refs/heads/lost", cwd=bare).returncode == 0


def test_a_profile_is_read_from_a_host_s_base(standin: StandIn) -> None:
    """Without any repository, as a sign-in form does."""
    profile = select.read_profile(standin.kind, standin.token("alice", scopes=()), standin.url)
    assert (profile.username, profile.scopes, profile.expires_at) == ("alice", (), 0)
