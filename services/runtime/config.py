"""Settings and where each came from: default < file < environment < flag.

Environment names are ``LOCKSTEP_`` plus the path with ``__`` between the parts; a secret may come as
``…_FILE``, naming a file. Unknown keys and placeholder secrets are refused at start.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from services.core.errors import InvalidInputError

PREFIX: Final = "LOCKSTEP_"
# Variables that speak to the client or the make targets, not to a service.
CLIENT_VARIABLES: Final = frozenset(
    {"LOCKSTEP_SERVER", "LOCKSTEP_TOKEN", "LOCKSTEP_CONFIG", "LOCKSTEP_REPO_URL", "LOCKSTEP_REPO_BRANCH"}
    | {"LOCKSTEP_WORKSPACE"},
)
# Long enough that no random key holds one; shorter ones give themselves away by how few letters they use.
PLACEHOLDERS: Final = ("changeme", "change-me", "placeholder", "secret", "example")
_LETTERS: Final = 8


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(_Section):
    """Files of PEM for mutual TLS between services; needed in server mode."""

    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None


class Addresses(_Section):
    """Where the services answer, host:port; unset in standalone."""

    git: str = "git:7001"
    sync: str = "sync:7002"
    pr: str = "pr:7003"
    auth: str = "auth:7004"


class ForgeHost(_Section):
    """A forge that tokens may be checked at. An empty URL means that it is off."""

    url: str = ""


class GitPolicy(_Section):
    """What remotes may be."""

    allowed_protocols: tuple[str, ...] = ("https",)
    allow_private_addresses: bool = False
    timeout_seconds: int = Field(default=600, ge=1)
    max_file_bytes: int = Field(default=10 * 1024 * 1024, ge=1)
    # What the mirrors of one tenant may take on disk; 0 is any number.
    quota_bytes: int = Field(default=0, ge=0)
    # After how many days without use a mirror is removed, to be cloned again when it is wanted; 0 is never.
    idle_days: int = Field(default=30, ge=0)
    # How often mirrors are repacked, pruned and looked at for the two above; 0 is never.
    housekeeping_seconds: int = Field(default=3600, ge=0)


class Secrets(_Section):
    """Keys of the deployment. In standalone they are made at first start and kept in the data folder."""

    master_keys: SecretStr = SecretStr("")
    internal_key: SecretStr = SecretStr("")


def default_data_folder() -> Path:
    """Give the folder of a standalone installation: $XDG_DATA_HOME/lockstep or ~/.local/share/lockstep."""
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "share") / "lockstep"


class Settings(_Section):
    """All settings of an installation."""

    mode: Literal["standalone", "server"] = "standalone"
    data: Path = Field(default_factory=default_data_folder)
    host: str = "127.0.0.1"
    port: int = Field(default=7420, ge=0, le=65535)
    public_url: str = ""
    listen: str = ""
    # Where Prometheus asks a service for its metrics; 0 is off.
    metrics_port: int = Field(default=0, ge=0, le=65535)
    # Where probes that have no certificate ask a service for its health, without TLS; 0 is off.
    health_port: int = Field(default=0, ge=0, le=65535)
    database_url: SecretStr = SecretStr("")
    poll_seconds: int = Field(default=60, ge=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    reflection: bool | None = None
    addresses: Addresses = Addresses()
    tls: Tls = Tls()
    github: ForgeHost = ForgeHost(url="https://github.com")
    gitlab: ForgeHost = ForgeHost(url="https://gitlab.com")
    git: GitPolicy = GitPolicy()
    secrets: Secrets = Secrets()


@dataclass(frozen=True)
class Origin:
    """One setting: its path with dots, its value as text (secrets redacted), and where it came from."""

    key: str
    value: str
    source: str


def load(
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> tuple[Settings, list[Origin]]:
    """Read all sources; give the settings and the origin of each.

    ``flags`` maps setting paths with dots to values. Raises InvalidInputError naming the source and the
    key of the first thing wrong.
    """
    environ = os.environ if environ is None else environ
    path = file or (Path(environ["LOCKSTEP_CONFIG"]) if environ.get("LOCKSTEP_CONFIG") else None)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, found in (
        (f"file {path}", _from_file(path)),
        ("environment", _from_environment(environ)),
        ("flag", {k: v for k, v in (flags or {}).items() if v is not None}),
    ):
        for key, value in found.items():
            values[key], sources[key] = value, source
    settings = _build(values, sources)
    _refuse_placeholders(settings)
    flat = _flatten(settings.model_dump(mode="python"))
    return settings, [Origin(key, _shown(value), sources.get(key, "default")) for key, value in flat.items()]


def _build(values: Mapping[str, Any], sources: Mapping[str, str]) -> Settings:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        target = nested
        *parents, last = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = value
    try:
        return Settings.model_validate(nested)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        source = next((s for k, s in sources.items() if k == key or key.startswith(k)), "settings")
        what = "is not a setting" if first["type"] == "extra_forbidden" else str(first["msg"]).lower()
        raise InvalidInputError(
            f"{source}: {key}: {what}",
            remedy="`lockstep config show` lists all settings",
        ) from None


def _from_file(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with path.open("rb") as stream:
            return _flatten(tomllib.load(stream))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError(f"the settings file {path} cannot be read: {error}") from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    keys = {key.replace(".", "__"): key for key in _flatten(Settings.model_construct().model_dump())}
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name in CLIENT_VARIABLES:
            continue
        short = name.removeprefix(PREFIX).lower()
        from_file = short.endswith("_file") and short.removesuffix("_file") in keys
        key = keys.get(short.removesuffix("_file") if from_file else short)
        if key is None:
            raise InvalidInputError(
                f"environment: {name} is not a setting",
                remedy="`lockstep config show` lists all settings",
            )
        found[key] = _read_secret(name, value) if from_file else _typed(key, value)
    return found


def _typed(key: str, value: str) -> Any:
    return tuple(part.strip() for part in value.split(",")) if key == "git.allowed_protocols" else value


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidInputError(f"environment: {name} names {path}, which cannot be read") from error


def _shown_to_fill_in(key: str) -> bool:
    """Say whether a key, in small letters, is a text to be replaced by one."""
    return len(set(key)) < _LETTERS or any(word in key for word in PLACEHOLDERS)


def _refuse_placeholders(settings: Settings) -> None:
    for name in ("master_keys", "internal_key"):
        value = getattr(settings.secrets, name).get_secret_value().lower()
        if value and (len(value) < 32 or _shown_to_fill_in(value)):  # noqa: PLR2004
            raise InvalidInputError(
                f"secrets.{name} is a placeholder or too short",
                remedy="make one with `lockstep keys generate`",
            )


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
