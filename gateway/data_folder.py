"""The data folder of a standalone installation: who uses it, its keys, and where its gateway answers."""

import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from cryptography.fernet import Fernet

from services.core.errors import StateError, UnavailableError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

IN_USE: Final = "DATA_IN_USE"
_KEY_BYTES: Final = 48


def prepare(data: Path) -> None:
    """Make the folder, readable by its owner only; raise UnavailableError when it cannot be written."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise UnavailableError(
            f"the data folder {data} cannot be written: {error.strerror}",
            remedy="choose another one with --data, or make it yours",
        ) from error


@contextmanager
def owned(data: Path) -> Iterator[None]:
    """Keep every other Lockstep out of the folder; raise StateError (reason DATA_IN_USE) when one is in."""
    path = data / "lock"
    with path.open("a+", encoding="ascii") as stream:
        if not _lock(stream):
            stream.seek(0)
            pid = stream.read().strip() or "unknown"
            raise StateError(
                f"another Lockstep (pid {pid}) uses {data}",
                remedy="stop it, or choose another folder with --data",
                reason=IN_USE,
            )
        stream.truncate(0)
        stream.write(f"{os.getpid()}\n")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


@contextmanager
def announced(data: Path, url: str) -> Iterator[None]:
    """Leave the gateway's address in server.json for clients while it serves."""
    path = data / "server.json"
    _write(path, json.dumps({"url": url, "pid": os.getpid()}))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def master_key(data: Path) -> str:
    """Give the key that credentials are encrypted with, made at first start."""
    return _key(data / "keys" / "master", lambda: Fernet.generate_key().decode())


def internal_key(data: Path) -> str:
    """Give the key that services prove themselves with, made at first start."""
    return _key(data / "keys" / "internal", lambda: secrets.token_urlsafe(_KEY_BYTES))


def _key(path: Path, make: Callable[[], str]) -> str:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        key = make()
        _write(path, key + "\n")
        return key


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def _lock(stream: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
