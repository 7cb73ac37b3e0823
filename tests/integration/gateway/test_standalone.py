"""One process with a data folder: its files, who may use it, and commands that need no server."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import standalone
from gateway.cli.main import main
from services.core.errors import StateError
from services.runtime.config import Settings
from tests.remote import Remote

SECONDS = 60


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a data folder that does not exist yet."""
    monkeypatch.setenv("LOCKSTEP_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def up(data: Path) -> Iterator["subprocess.Popen[str]"]:
    """Run ``lockstep up`` in a process of its own."""
    command = [sys.executable, "-m", "gateway.cli.main", "up", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_up_serves_until_it_is_told_to_stop(up: "subprocess.Popen[str]", data: Path) -> None:
    """It prints its address and, once, the first token; clients find it; SIGTERM ends it cleanly."""
    assert up.stdout is not None
    assert up.stderr is not None
    started = json.loads(up.stdout.readline())
    assert started["first_token"] == (data / "admin-token").read_text().strip()
    for name in ("admin-token", "keys/master", "keys/internal"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    assert json.loads((data / "server.json").read_text()) == {"url": started["url"], "pid": up.pid}
    assert main(["workspace", "list"]) == 0
    with pytest.raises(StateError, match=str(up.pid)), standalone.running(Settings(data=data), brief=True):
        pass
    up.send_signal(signal.SIGTERM)
    assert up.wait(SECONDS) == 0
    assert not (data / "server.json").exists()
    assert up.stderr.read() == ""


def test_a_command_without_a_server_starts_what_it_needs(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Commands one after another work on the same data folder; nothing is left behind running."""
    remote = Remote.create(tmp_path / "r.git", {"a.json": '{"id": "a"}\n'})
    assert main(["workspace", "add", "w", "--repo", remote.url]) == 0
    assert main(["git-pull", "--json"]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["imported"] == 1
    assert not (data / "server.json").exists()
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["ok"]
    levels = {check["name"]: check["level"] for check in found["checks"]}
    assert levels["w: remote"] == "ok"
    assert levels["database sync"] == "ok"
    (data / "admin-token").chmod(0o644)
    assert main(["doctor"]) == 1
    assert f"chmod 600 {data}/admin-token" in capfd.readouterr().out


def test_doctor_misses_ssh_and_says_how_to_get_it(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who has https remotes alone does not need it: a warning, no failure."""
    assert not data.exists()
    programs = tmp_path / "bin"
    programs.mkdir()
    found = shutil.which("git")
    assert found
    (programs / "git").symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))
    main(["doctor", "--json"])
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    assert checks["git"]["level"] == "ok"
    assert (checks["ssh"]["level"], checks["ssh"]["mend"]) == ("warn", "apt-get install openssh-client")


def test_the_data_folder_is_named_before_or_after_the_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """--data goes where people put it."""
    for arguments in (["--data", str(tmp_path / "x"), "config", "show"], ["config", "show", "--data", f"{tmp_path}/x"]):
        assert main([*arguments, "--json"]) == 0
        settings = {item["key"]: item for item in json.loads(capfd.readouterr().out)["settings"]}
        assert settings["data"] == {"key": "data", "value": str(tmp_path / "x"), "source": "flag"}


def test_settings_say_where_they_came_from_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A secret shows as stars; an unknown setting is refused by name."""
    assert main(["keys", "generate", "--json"]) == 0
    keys = json.loads(capfd.readouterr().out)
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    assert main(["config", "show"]) == 0
    shown = capfd.readouterr().out
    assert "secrets.master_keys\t********\tenvironment" in shown
    assert not any(value in shown for value in keys.values())
    monkeypatch.setenv("LOCKSTEP_COLOUR", "red")
    assert main(["config", "show"]) == 2
    assert "LOCKSTEP_COLOUR" in capfd.readouterr().err


def test_a_reader_that_goes_away_is_no_error(data: Path) -> None:
    """Output into a closed pipe ends quietly."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "config", "show"],
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
    assert not data.exists()
