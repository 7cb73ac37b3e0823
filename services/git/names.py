"""Names that come from outside: ids, object names, branches, paths. Checked before git sees them.

The rules are git's own (``git check-ref-format``, ``verify_path`` in read-cache.c), and stricter where a
name could be taken for an option or could harm a work tree on another system.
"""

import re
from collections.abc import Sequence
from typing import Final

from services.core.errors import FieldViolation, InvalidInputError
from services.core.paths import MAX_PATH_BYTES, path_problem

EMPTY_TREE: Final = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
MAX_NAME_BYTES: Final = 255
# A file system takes 255 bytes, of which git wants five for ".lock".
MAX_REF_COMPONENT_BYTES: Final = 250
MAX_PATTERNS: Final = 100
MAX_FOLDERS_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 200

_ID: Final = re.compile(r"[a-z0-9-]{1,64}\Z")
_OID: Final = re.compile(r"[0-9a-f]{40}\Z")
_BAD_REF: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|\Z)|\A[/.-]|[/.]\Z|/-")
_PATTERN: Final = re.compile(r"[A-Za-z0-9_./*@+-]{1,255}\Z")


def identifier(value: str, field: str) -> str:
    """Give a tenant's or workspace's id; raise InvalidInputError unless it is ``[a-z0-9-]{1,64}``."""
    if not _ID.match(value):
        raise _refused(field, value, "is not an id", "ids have 1 to 64 of a-z, 0-9 and -")
    return value


def oid(value: str, field: str) -> str:
    """Give an object name; raise InvalidInputError unless it is 40 lower-case hex digits."""
    if not _OID.match(value):
        raise _refused(field, value, "is not an object name", "give 40 lower-case hex digits")
    return value


def optional_oid(value: str, field: str) -> str:
    """Give an object name or the empty string; raise InvalidInputError for anything else."""
    return oid(value, field) if value else ""


def branch(value: str, field: str = "branch") -> str:
    """Give a branch name without ``refs/heads/``; raise InvalidInputError where git would refuse it."""
    return ref_part(value, field, "is not a branch name")


def ref_part(value: str, field: str, what: str = "cannot be part of a ref") -> str:
    """Give the part of a ref behind a fixed prefix; raise InvalidInputError where git would refuse it."""
    data = value.encode("utf-8", "replace")
    longest = max(map(len, data.split(b"/")))
    too_long = len(data) > MAX_NAME_BYTES or longest > MAX_REF_COMPONENT_BYTES
    if not value or value in ("@", "HEAD") or too_long or _BAD_REF.search(value) or value.startswith("refs/"):
        raise _refused(field, value, what, "use letters, digits, ., _, - and single slashes")
    return value


def ref_pattern(value: str, field: str = "patterns") -> str:
    """Give a ref name or pattern of ``git ls-remote``; raise InvalidInputError for anything odd."""
    if not _PATTERN.match(value) or value.startswith("-") or ".." in value:
        raise _refused(field, value, "is not a ref pattern", "give for example refs/heads/*")
    return value


def ref_patterns(values: Sequence[str]) -> list[str]:
    """Give ref patterns; raise InvalidInputError for an odd one, or for more than a command line should take."""
    if len(values) > MAX_PATTERNS:
        raise _refused("patterns", f"{len(values)} patterns", "are too many", f"ask for at most {MAX_PATTERNS}")
    return [ref_pattern(value) for value in values]


def path(value: bytes, field: str = "path") -> bytes:
    """Give a path that Lockstep may write; raise InvalidInputError for one that could do harm.

    The rule is the records' own (``services.core.paths``), so that whatever was imported can be published.
    """
    readable_path(value, field)
    if path_problem(value) or value.count(b"/") >= MAX_DEPTH:
        raise _refused_path(field, value)
    return value


def readable_path(value: bytes, field: str = "path") -> bytes:
    """Give a path to look up in a tree: any bytes that a tree can hold, so not NUL, not empty parts."""
    parts = value.split(b"/")
    if b"\0" in value or len(value) > MAX_PATH_BYTES or not all(parts) or b".." in parts or b"." in parts:
        raise _refused_path(field, value)
    return value


def readable_paths(values: Sequence[bytes], field: str) -> list[bytes]:
    """Give paths to look up; raise InvalidInputError for a bad one, or for more than a command line should take."""
    if sum(map(len, values)) + len(values) > MAX_FOLDERS_BYTES:
        raise _refused(field, f"{len(values)} paths", "are too many", "ask for fewer at a time, or for all")
    return [readable_path(value, field) for value in values]


def _refused_path(field: str, value: bytes) -> InvalidInputError:
    text = value[:200].decode("utf-8", "backslashreplace")
    return _refused(field, text, "is not a path that may be used", "give a plain path from the repository's root")


def _refused(field: str, value: str, what: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(
        f"{field}: {value[:200]!r} {what}",
        remedy=remedy,
        reason="BAD_NAME",
        violations=[FieldViolation(field, what)],
    )
