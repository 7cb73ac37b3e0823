"""Pages of lists: how long one is, and the opaque token that the next begins with."""

import base64
import binascii
from typing import Final

from services.core.errors import InvalidInputError

MAX_PAGE: Final = 1000
DEFAULT_PAGE: Final = 50
_MAX_SKIP: Final = 1 << 31


def page_size(asked: int) -> int:
    """Give the length of a page; 0 asks for the default."""
    return min(asked if asked > 0 else DEFAULT_PAGE, MAX_PAGE)


def page_token(skip: int) -> str:
    """Give the token of a page that leaves out the first ``skip``."""
    return base64.urlsafe_b64encode(b"skip:%d" % skip).decode("ascii")


def skipped(token: str) -> int:
    """Give how many a page leaves out; raise InvalidInputError for a token that is not one of ours."""
    if not token:
        return 0
    try:
        number = int(base64.urlsafe_b64decode(token).removeprefix(b"skip:"))
    except (binascii.Error, ValueError):
        number = -1
    if not 0 <= number < _MAX_SKIP:
        raise bad_token()
    return number


def name_token(name: bytes) -> str:
    """Give the token of a page that begins after a name."""
    return base64.urlsafe_b64encode(b"after:" + name).decode("ascii")


def named(token: str) -> bytes:
    """Give the name that a page begins after; raise InvalidInputError for a token that is not one of ours."""
    if not token:
        return b""
    try:
        word, _, name = base64.urlsafe_b64decode(token).partition(b":")
    except (binascii.Error, ValueError):
        raise bad_token() from None
    if word != b"after":
        raise bad_token()
    return name


def bad_token() -> InvalidInputError:
    """Say that a page token is not one of this service."""
    return InvalidInputError("the page token is not one of this service", remedy="start at the first page")
