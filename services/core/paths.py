"""Which paths Lockstep writes: relative, plain, and safe on every file system. Pure."""

import re
from typing import Final

from services.core.errors import InvalidInputError

MAX_COMPONENT_BYTES: Final = 255
MAX_PATH_BYTES: Final = 4096
# ".git" in any case, with the trailing dots, spaces and streams that Windows drops, and its short name.
_DOT_GIT: Final = re.compile(rb"(?:\.git|git~1)[. ]*(?::.*)?\Z", re.IGNORECASE)
# What most paths look like: parts that begin with a letter or digit can be none of the names below.
_PLAIN: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_. -]*(?:/[A-Za-z0-9][A-Za-z0-9_. -]*)*\Z")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")
# Code points that HFS+ ignores in names (git's own list, utf8.c).
_IGNORED_BY_HFS: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def path_problem(path: bytes) -> str:
    """Say in a few words why a path must not be written; empty when it may."""
    if len(path) <= MAX_COMPONENT_BYTES and _PLAIN.match(path):
        return ""
    if not path or len(path) > MAX_PATH_BYTES:
        return "is empty or too long"
    if path.startswith(b"/"):
        return "is absolute"
    if _CONTROL.search(path):
        return "holds control characters"
    for part in path.split(b"/"):
        if part in {b"", b".", b".."}:
            return "has an empty part, '.' or '..'"
        if len(part) > MAX_COMPONENT_BYTES:
            return "has a part that is too long"
        plain = _IGNORED_BY_HFS.sub("", part.decode("utf-8", "replace")).encode()
        if _DOT_GIT.match(part) or _DOT_GIT.match(plain):
            return "has a part that Git would misread"
    return ""


def check_path(path: bytes, *, what: str) -> bytes:
    """Give the path back; raise InvalidInputError naming ``what`` when it must not be written."""
    problem = path_problem(path)
    if problem:
        raise InvalidInputError(
            f"{what}: '{path.decode('utf-8', 'replace')}' {problem}",
            remedy="use a plain relative path",
        )
    return path


def stem_of(path: bytes) -> bytes:
    """Give the name of a file without its folder and its last extension."""
    name = path.rpartition(b"/")[2]
    stem, dot, _ = name.rpartition(b".")
    return stem if dot and stem else name
