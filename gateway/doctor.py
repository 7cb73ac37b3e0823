"""Checks what a standalone Lockstep needs; each finding comes with the command that mends it."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.cli.client import Client
from services.auth import tables as auth_tables
from services.core.errors import LockstepError
from services.pr import tables as pr_tables
from services.runtime.config import Settings
from services.runtime.database import Database, sqlite_url
from services.sync import tables as sync_tables

Level = Literal["ok", "warn", "fail"]

OLDEST_GIT: Final = (2, 39)
LOW_DISK: Final = 1_000_000_000
NO_DISK: Final = 100_000_000
CLOCK_SECONDS: Final = 60.0
PRIVATE: Final = 0o077
_SECONDS: Final = 10.0
_METADATA: Final = {"auth": auth_tables.metadata, "sync": sync_tables.metadata, "pr": pr_tables.metadata}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. ``mend`` is a command; empty where all is well."""

    name: str
    level: Level
    text: str
    mend: str = ""

    def document(self) -> dict[str, str]:
        """Give it as a value."""
        return asdict(self)


def examine(settings: Settings, address: str) -> list[Check]:
    """Look at this machine and the data folder; ``address`` is where a Lockstep answers, if any."""
    data = settings.data.expanduser().absolute()
    found = [_git(), _git_lfs(), _ssh(), *_folder(data), *_private(data), _clock(data)]
    found += [_database(settings, data, service, metadata) for service, metadata in _METADATA.items()]
    running = Check("server", "ok", f"answers at {address}")
    found.append(running if address else Check("server", "warn", "is not running", "lockstep up"))
    return found


def can_start(settings: Settings) -> bool:
    """Say whether there is an installation whose workspaces can be looked at."""
    return (settings.data.expanduser() / "auth.db").exists() or bool(settings.database_url.get_secret_value())


def examine_workspaces(client: Client) -> list[Check]:
    """Ask the remotes and forges of all workspaces."""
    return [check for workspace in client.get("/workspaces") for check in _workspace(client, workspace)]


def _git() -> Check:
    said = _output("git", "--version")
    numbers = re.search(r"(\d+)\.(\d+)", said)
    if numbers is None:
        return Check("git", "fail", "is not installed", "apt-get install git")
    new_enough = (int(numbers[1]), int(numbers[2])) >= OLDEST_GIT
    if new_enough:
        return Check("git", "ok", said)
    return Check("git", "fail", f"{said}; 2.39 or newer is needed", "apt-get install git")


def _git_lfs() -> Check:
    said = _output("git", "lfs", "version")
    if said:
        return Check("git-lfs", "ok", said.partition(" (")[0])
    return Check("git-lfs", "warn", "is not installed; repositories with LFS need it", "apt-get install git-lfs")


def _ssh() -> Check:
    """Look for the client alone: it says its version on standard error, and some say none."""
    if shutil.which("ssh"):
        return Check("ssh", "ok", "is installed")
    return Check("ssh", "warn", "is not installed; ssh remotes need it", "apt-get install openssh-client")


def _folder(data: Path) -> Iterator[Check]:
    there = next(folder for folder in (data, *data.parents) if folder.exists())
    if not there.is_dir() or not _writable(there):
        yield Check("data folder", "fail", f"{data} cannot be written", "lockstep --data DIR doctor")
    elif there != data:
        yield Check("data folder", "ok", f"{data} is made at first start")
    else:
        yield Check("data folder", "ok", f"{data} can be written")
    free = shutil.disk_usage(there).free
    level: Level = "fail" if free < NO_DISK else "warn" if free < LOW_DISK else "ok"
    yield Check("disk", level, f"{free / 1e9:.1f} GB free", "" if level == "ok" else f"du -sh {data}/*")


def _private(data: Path) -> Iterator[Check]:
    for path in (data / "admin-token", data / "keys" / "master", data / "keys" / "internal"):
        if not path.exists():
            continue
        mode = path.stat().st_mode & 0o777
        name = str(path.relative_to(data))
        if mode & PRIVATE:
            yield Check(name, "fail", f"others may read it (mode {mode:04o})", f"chmod 600 {path}")
        else:
            yield Check(name, "ok", f"mode {mode:04o}")


def _clock(data: Path) -> Check:
    """Compare with the newest file in the data folder: nothing was written in the future."""
    newest = max((path.stat().st_mtime for path in data.glob("*")), default=0.0)
    if newest > time.time() + CLOCK_SECONDS:
        return Check("clock", "fail", "is behind the files in the data folder", "timedatectl set-ntp true")
    return Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _database(settings: Settings, data: Path, service: str, metadata: sa.MetaData) -> Check:
    name = f"database {service}"
    url = settings.database_url.get_secret_value()
    if not url and not (data / f"{service}.db").exists():
        return Check(name, "ok", "is made at first start")
    database = Database.open(url or sqlite_url(data / f"{service}.db"), service, metadata)
    try:
        with database.read("") as tx:
            schema = service if database.dialect == "postgresql" else None
            at = MigrationContext.configure(tx, opts={"version_table_schema": schema}).get_current_heads()
        head = ScriptDirectory.from_config(database.alembic_config()).get_heads()
    except (LockstepError, sa.exc.SQLAlchemyError) as error:
        text = error.message if isinstance(error, LockstepError) else "cannot be read"
        return Check(name, "fail", text, "restore it from a backup, or start its server")
    finally:
        database.close()
    if set(at) == set(head):
        return Check(name, "ok", f"reachable, migrations at {', '.join(head)}")
    return Check(name, "fail", f"migrations at {', '.join(at) or 'none'}, not {', '.join(head)}", "lockstep up")


def _workspace(client: Client, workspace: Any) -> Iterator[Check]:
    name, path = workspace["name"], f"/workspaces/{workspace['id']}"
    try:
        branches = client.get(f"{path}/remote")
    except LockstepError as error:
        yield Check(f"{name}: remote", "fail", error.message, error.remedy)
    else:
        if workspace["branch"] in branches:
            yield Check(f"{name}: remote", "ok", f"reachable, has the branch {workspace['branch']}")
        else:
            mend = f"lockstep workspace set {name} --branch {(branches or ['BRANCH'])[0]}"
            yield Check(f"{name}: remote", "fail", f"has no branch {workspace['branch']}", mend)
    if workspace["forge"] == "plain":
        return
    set_token = f"lockstep workspace set {name} --token-stdin"
    if not workspace["has_credential"]:
        yield Check(f"{name}: token", "warn", "none is stored; pull requests need one", set_token)
        return
    try:
        project = client.get(f"{path}/project")
    except LockstepError as error:
        yield Check(f"{name}: token", "fail", error.message, error.remedy or set_token)
        return
    if project["permission"] in ("admin", "write"):
        yield Check(f"{name}: token", "ok", f"may {project['permission']} {project['path']}")
    else:
        yield Check(f"{name}: token", "warn", f"may only {project['permission']} {project['path']}", set_token)


def _writable(folder: Path) -> bool:
    probe = folder / f".lockstep-probe-{time.time_ns()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
