"""Opaque page tokens: where the next page begins, as the values of the sort key."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Final

from services.core.errors import InvalidInputError

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 1000


def size(asked: int) -> int:
    """Give how many items a page holds; raise InvalidInputError for a negative number."""
    if asked < 0:
        raise InvalidInputError(f"a page of {asked} items makes no sense", remedy="ask for 1 to 1000")
    return min(asked or DEFAULT_SIZE, MAX_SIZE)


def encode(values: Sequence[str | int]) -> str:
    """Give the token of the page after the item with these sort values."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def decode(token: str, kinds: Sequence[type]) -> list[str | int] | None:
    """Give the sort values in a token, None for an empty one; raise InvalidInputError for a foreign one."""
    if not token:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(kinds)
        or not all(isinstance(value, kind) for value, kind in zip(values, kinds, strict=True))
    ):
        raise InvalidInputError("the page token is none of ours", remedy="begin again without one")
    return values
