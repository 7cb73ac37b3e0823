"""Which names are good: tenants, people, workspaces, branches. Each check gives the name back."""

import re
from typing import Final

from services.core.errors import FieldViolation, InvalidInputError

_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_USERNAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_WORKSPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EMAIL: Final = re.compile(r"[^@\s<>\x00-\x1f\x7f]+@[^@\s<>\x00-\x1f\x7f]+")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")
# What `git check-ref-format --branch` refuses.
_BAD_IN_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[-/.]|[/.]$|^@$|^HEAD$")
LONGEST: Final = 250


def tenant(name: str) -> str:
    """Check a tenant's short name."""
    return _checked(_TENANT, name, "name", "tenant name", "use a-z, 0-9 and -, at most 63, no leading -")


def username(name: str, field: str = "username") -> str:
    """Check a sign-in name."""
    return _checked(_USERNAME, name, field, "sign-in name", "use letters, digits and . _ @ + -, at most 64")


def workspace(name: str) -> str:
    """Check a workspace's name."""
    remedy = "use letters, digits, ., _ and -, at most 64, beginning with a letter or a digit"
    return _checked(_WORKSPACE, name, "name", "workspace name", remedy)


def branch(name: str) -> str:
    """Check a branch's name by the rules of git-check-ref-format."""
    if not name or len(name) > LONGEST or _BAD_IN_BRANCH.search(name):
        raise _bad("branch", f"{name!r} is not a branch name", "name a branch as git does, for example main")
    return name


def full_name(name: str, field: str = "name") -> str:
    """Check the name of a person, as it goes into commits."""
    text = name.strip()
    if len(text) > LONGEST or _UNPRINTABLE.search(text) or "<" in text or ">" in text:
        raise _bad(field, f"{text[:80]!r} cannot be a person's name in a commit", "leave out <, > and control signs")
    return text


def email(address: str, field: str = "email") -> str:
    """Check an e-mail address, as it goes into commits; it may be empty."""
    text = address.strip()
    if text and (len(text) > LONGEST or not _EMAIL.fullmatch(text)):
        raise _bad(field, f"{text[:80]!r} is not an e-mail address", "give one such as name@example.org")
    return text


def label(text: str) -> str:
    """Check what a token is said to be for."""
    text = text.strip()
    if len(text) > LONGEST or _UNPRINTABLE.search(text):
        raise _bad("label", "the label is too long or has control signs", "keep it to one short line")
    return text


def _checked(pattern: re.Pattern[str], name: str, field: str, what: str, remedy: str) -> str:
    if not pattern.fullmatch(name):
        raise _bad(field, f"{name[:80]!r} is not a {what}", remedy)
    return name


def _bad(field: str, message: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(message, remedy=remedy, violations=[FieldViolation(field, message)])
