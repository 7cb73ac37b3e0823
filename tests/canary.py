"""A token that must show up nowhere: made anew for each run, searched for when the run ends."""

import base64
import mmap
import os
import secrets
import string
from collections.abc import Iterator
from pathlib import Path

_ALPHABET = string.ascii_letters + string.digits


def make() -> str:
    """Give a token that looks like a GitHub personal access token."""
    return "ghp_" + "".join(secrets.choice(_ALPHABET) for _ in range(36))


def shapes(token: str) -> list[bytes]:
    """Give the byte strings that betray ``token``: itself, and how base64 shows it inside ``user:token``.

    Base64 works on groups of three bytes, so a token inside a longer text shows in one of three ways,
    with up to three characters at each end that depend on the neighbours.
    """
    raw = token.encode()
    shifted = (base64.b64encode(b"\0" * shift + raw) for shift in range(3))
    return [raw, *(text[4:-4] for text in shifted)]


def files_with(token: str, folder: Path) -> Iterator[Path]:
    """Give the files below ``folder`` that hold ``token`` in one of its shapes."""
    wanted = shapes(token)
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink() and _holds(path, wanted):
                yield path


def _holds(path: Path, wanted: list[bytes]) -> bool:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(shape) >= 0 for shape in wanted)
    except (FileNotFoundError, ValueError):  # gone since it was listed, or empty
        return False
