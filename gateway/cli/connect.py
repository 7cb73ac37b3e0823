"""Finds the gateway and the workspace that a command is for.

``LOCKSTEP_SERVER`` names a gateway. Without it the data folder does: a running ``lockstep up`` leaves
its address there, and where none runs, one is started in this process for as long as the command takes.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import typer

from gateway.cli.client import Client, segment
from gateway.data_folder import IN_USE
from services.core.errors import (
    AlreadyExistsError,
    InvalidInputError,
    NotFoundError,
    SignInError,
    StateError,
    UnavailableError,
)
from services.core.values import ParseError, loads
from services.runtime import config, logs

PROBE_SECONDS: Final = 2.0
WAIT_SECONDS: Final = 30.0
DEFAULT_COLLECTION: Final = "records"
_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
MAX_NAME: Final = 60
SAME_NAME_TRIES: Final = 20


@contextmanager
def server(ctx: typer.Context, *, started: bool = False) -> Iterator[Client]:
    """Give a client of the gateway that the environment or the data folder names.

    ``started`` demands one that goes on after this command; UnavailableError where there is none.
    """
    with ExitStack() as stack:
        address, token = os.environ.get("LOCKSTEP_SERVER", ""), os.environ.get("LOCKSTEP_TOKEN", "")
        if address:
            if not address.startswith(("http://", "https://")):
                raise InvalidInputError(
                    f"LOCKSTEP_SERVER '{address}' is no address", remedy="write it like https://lockstep.example.org"
                )
            if not token:
                raise SignInError(f"there is no token for {address}", remedy="set LOCKSTEP_TOKEN to an access token")
        else:
            settings = settings_of(ctx)
            address = running_address(settings.data)
            if not address and started:
                raise UnavailableError("no Lockstep is running here", remedy="start one with `lockstep up`")
            address = address or _start(stack, settings)
            token = token or admin_token(settings.data)
        yield stack.enter_context(Client(address, token))


def settings_of(ctx: typer.Context, **flags: Any) -> config.Settings:
    """Give the settings: environment, file, and the flags of this command."""
    return config.load(flags={"data": data_flag(ctx), **flags})[0]


def data_flag(ctx: typer.Context) -> Path | None:
    """Give the data folder that was named before the command, if any."""
    found = ctx.find_root().params.get("data")
    return Path(found).expanduser().absolute() if found else None


def running_address(data: Path) -> str:
    """Give the address of the gateway that serves a data folder; empty when none answers."""
    try:
        found = loads((data / "server.json").read_bytes())
    except (OSError, ParseError):
        return ""
    url = str(found.get("url", "")) if isinstance(found, dict) else ""
    if not url:
        return ""
    try:
        answer = httpx2.get(f"{url}/healthz", timeout=PROBE_SECONDS, trust_env=False)
    except httpx2.HTTPError:
        return ""
    return url if answer.is_success else ""


def admin_token(data: Path) -> str:
    """Give the token that the first start left in the data folder."""
    try:
        return (data / "admin-token").read_text(encoding="ascii").strip()
    except OSError as error:
        raise SignInError(
            f"there is no readable token in {data}", remedy="set LOCKSTEP_TOKEN, or run as the user of `lockstep up`"
        ) from error


def _start(stack: ExitStack, settings: config.Settings) -> str:
    """Start a gateway for this command, or wait for the one that another command is starting or ending."""
    # Here, since it loads all services; a client of a running gateway does without.
    from gateway import standalone

    logs.configure("error")
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return stack.enter_context(standalone.running(settings, brief=True)).url
        except StateError as error:
            if error.reason != IN_USE or time.monotonic() > until:
                raise
        time.sleep(0.2)
        if address := running_address(settings.data):
            return address


def workspace(client: Client, name: str | None) -> Any:
    """Give the workspace that is named, that LOCKSTEP_WORKSPACE or LOCKSTEP_REPO_URL means, or the only one."""
    name = name or os.environ.get("LOCKSTEP_WORKSPACE", "")
    if name:
        return client.get(f"/workspaces/{segment(name)}")
    repository = os.environ.get("LOCKSTEP_REPO_URL", "")
    if repository:
        return _of_repository(client, repository, os.environ.get("LOCKSTEP_REPO_BRANCH", ""))
    found = client.get("/workspaces")
    if not found:
        raise NotFoundError("there is no workspace yet", remedy="add one with `lockstep workspace add NAME --repo URL`")
    if len(found) > 1:
        names = ", ".join(item["name"] for item in found)
        raise InvalidInputError("there are several workspaces", remedy=f"name one with --workspace: {names}")
    return found[0]


def place(client: Client, name: str | None) -> str:
    """Give the path of a workspace in the API."""
    return f"/workspaces/{workspace(client, name)['id']}"


def _of_repository(client: Client, repository: str, branch: str) -> Any:
    """Give the workspace of a repository, made on the fly where there is none."""
    meant = {_comparable(repository)}
    for item in client.get("/workspaces"):
        if _comparable(item["repo"]) in meant and branch in ("", item["branch"]):
            return item
    base = name_from(repository)
    body: dict[str, Any] = {
        "repo": repository,
        "branch": branch,
        "collections": [{"name": DEFAULT_COLLECTION, "path": ""}],
    }
    for number in range(1, SAME_NAME_TRIES):
        try:
            return client.post("/workspaces", {"name": base if number == 1 else f"{base}-{number}", **body})
        except AlreadyExistsError:
            continue
    raise AlreadyExistsError(f"'{base}' and names like it are taken", remedy="use `lockstep workspace add`")


def name_from(repository: str) -> str:
    """Give a name for the workspace of a repository: the last part of its address."""
    last = repository.rstrip("/").replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    name = _NOT_A_NAME.sub("-", last.removesuffix(".git").removesuffix(".bundle"))[:MAX_NAME].strip("-._")
    return name or "workspace"


def _comparable(url: str) -> str:
    path = url.removeprefix("file://")
    return str(Path(path).absolute()) if path.startswith(("/", "./", "../")) else url.rstrip("/")
