"""Repository addresses as people give them, made into the ones that are stored.

An address holds no credential, and none goes over the network in the clear. No error repeats what
stands before the @ of an address.
"""

import re
from pathlib import PurePath
from typing import Final
from urllib.parse import SplitResult, urlsplit

from services.core.errors import FieldViolation, InvalidInputError
from services.forges.address import is_loopback

_SCP_LIKE: Final = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9][A-Za-z0-9.-]+:(?!//)[^\s:-]\S*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_FORMS: Final = "give https://host/team/repository.git, an ssh address or an absolute path"
LONGEST: Final = 2000


def checked(url: str, field: str = "repository_url") -> str:
    """Give the address to store: https, ssh, file, or http to this machine; an absolute path becomes file://.

    Raises InvalidInputError for everything else.
    """
    text = url.strip()
    if not text or len(text) > LONGEST:
        raise _bad(field, "the repository address is empty or too long", _FORMS)
    if "://" not in text and PurePath(text).is_absolute():
        return PurePath(text).as_uri()
    if _UNPRINTABLE.search(text) or text.startswith("-"):
        raise _bad(field, "the repository address has blanks, control signs or a leading dash", _FORMS)
    if "://" not in text:
        if _SCP_LIKE.fullmatch(text):
            return text
        raise _bad(field, f"{_shown(text)} is neither an address nor an absolute path", _FORMS)
    return _checked_url(text, field)


def origin(url: str) -> str:
    """Give what a credential is good for: the host and port of an address, "" for a local one."""
    if "://" not in url:
        return url.partition(":")[0].rpartition("@")[2].lower()
    parts = _split(url, "repository_url")
    return parts.netloc.rpartition("@")[2].lower()


def _checked_url(text: str, field: str) -> str:
    parts = _split(text, field)
    scheme = parts.scheme.lower()
    if parts.password is not None or (parts.username and scheme != "ssh"):
        raise _bad(
            field,
            f"the address of {parts.hostname} holds a credential",
            "leave it out of the address and store it with `lockstep workspace set NAME --token-stdin`",
        )
    if parts.query or parts.fragment:
        raise _bad(field, f"{_shown(text)} has a ? or # part", _FORMS)
    if scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            raise _bad(field, f"{_shown(text)} does not name an absolute path", "write file:///folder/repository.git")
        return text
    if scheme not in {"https", "ssh", "http"}:
        raise _bad(field, f"{scheme}:// is not a way to reach a repository", _FORMS)
    if not parts.hostname or parts.hostname.startswith("-") or not parts.path.strip("/"):
        raise _bad(field, f"{_shown(text)} names no host or no repository", _FORMS)
    if scheme == "http" and not is_loopback(text):
        raise _bad(field, f"{_shown(text)} would send the token in the clear", "use https://")
    return text


def _split(text: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port, parts.hostname
    except ValueError:
        raise _bad(field, "the repository address cannot be read", _FORMS) from None
    return parts


def _shown(text: str) -> str:
    scheme, found, rest = text.partition("://")
    authority, slash, path = (rest if found else text).partition("/")
    return f"{scheme + found if found else ''}{authority.rpartition('@')[2]}{slash}{path}"[:200]


def _bad(field: str, message: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(message, remedy=remedy, violations=[FieldViolation(field, message)])
