"""Settings: default < file < environment < flag, and nothing unknown or made up as a placeholder."""

import base64
import secrets
from pathlib import Path

import pytest

from services.core.errors import InvalidInputError
from services.runtime import config

KEY = "dGhpcyBpcyBub3QgYSBrZXkgZm9yIGFueXRoaW5nIQ=="


def test_later_sources_win_and_are_named(tmp_path: Path) -> None:
    """Each value says where it came from."""
    file = tmp_path / "lockstep.toml"
    file.write_text('port = 1001\nlog_level = "debug"\npoll_seconds = 5\n[git]\ntimeout_seconds = 7\n')
    environ = {"LOCKSTEP_CONFIG": str(file), "LOCKSTEP_PORT": "1002", "LOCKSTEP_POLL_SECONDS": "6"}
    settings, origins = config.load(flags={"port": 1003, "host": None}, environ=environ)
    assert (settings.port, settings.poll_seconds, settings.log_level) == (1003, 6, "debug")
    assert settings.git.timeout_seconds == 7
    sources = {origin.key: origin.source for origin in origins}
    assert sources["port"] == "flag"
    assert sources["poll_seconds"] == "environment"
    assert sources["log_level"] == f"file {file}"
    assert sources["host"] == "default"


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    """…_FILE names a file; the list of settings shows that a secret is set, not what it is."""
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    settings, origins = config.load(environ={"LOCKSTEP_SECRETS__INTERNAL_KEY_FILE": str(file)})
    assert settings.secrets.internal_key.get_secret_value() == KEY
    assert KEY not in repr(settings)
    assert not any(KEY in origin.value for origin in origins)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"LOCKSTEP_PROT": "1"}, "LOCKSTEP_PROT is not a setting"),
        ({"LOCKSTEP_GIT__COLOUR": "1"}, "LOCKSTEP_GIT__COLOUR"),
        ({"LOCKSTEP_PORT": "many"}, "environment: port"),
        ({"LOCKSTEP_PORT": "70000"}, "environment: port"),
        ({"LOCKSTEP_MODE": "laptop"}, "environment: mode"),
        ({"LOCKSTEP_SECRETS__INTERNAL_KEY": "changeme" * 8}, "placeholder"),
        ({"LOCKSTEP_SECRETS__MASTER_KEYS": "short"}, "placeholder or too short"),
        ({"LOCKSTEP_SECRETS__INTERNAL_KEY": "xxx" * 20}, "placeholder"),
        ({"LOCKSTEP_SECRETS__MASTER_KEYS": "TODO-" * 9}, "placeholder"),
        ({"LOCKSTEP_SECRETS__MASTER_KEYS_FILE": "/nowhere/key"}, "/nowhere/key"),
        ({"LOCKSTEP_CONFIG": "/nowhere/lockstep.toml"}, "/nowhere/lockstep.toml"),
    ],
)
def test_what_is_wrong_is_named(environ: dict[str, str], words: str) -> None:
    """Unknown keys, bad values and placeholder secrets stop the start in one line."""
    with pytest.raises(InvalidInputError) as stopped:
        config.load(environ=environ)
    assert words in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_a_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    """A typing error in a file is not silently ignored."""
    file = tmp_path / "lockstep.toml"
    file.write_text("pol_seconds = 5\n")
    with pytest.raises(InvalidInputError, match="pol_seconds: is not a setting"):
        config.load(environ={}, file=file)


def test_a_random_key_is_never_taken_for_a_placeholder() -> None:
    """Of thousands, some hold three letters x in a row by chance."""
    for _ in range(5_000):
        key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        assert not config._shown_to_fill_in(key.lower())  # noqa: SLF001
    assert not config._shown_to_fill_in(f"{'aXxxB9'}{base64.urlsafe_b64encode(bytes(range(32))).decode()}".lower())  # noqa: SLF001
