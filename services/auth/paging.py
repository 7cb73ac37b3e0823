"""Pages of lists that go by one text key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.runtime import paging

T = TypeVar("T")


@dataclass(frozen=True)
class PageRequest:
    """How many at most, and after which key ("" from the start)."""

    size: int
    after: str

    @classmethod
    def of(cls, size: int, token: str) -> "PageRequest":
        """Read a request's two fields. Raises InvalidInputError for a negative size or a foreign token."""
        after = paging.decode(token, (str,))
        return cls(paging.size(size), str(after[0]) if after else "")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items, and the token of the next page ("" on the last)."""

    items: tuple[T, ...]
    next_token: str

    @classmethod
    def of(cls, found: Sequence[T], request: PageRequest, key: Callable[[T], str]) -> "Page[T]":
        """Cut ``found``, which holds one item more than the page where there is a next one."""
        items = tuple(found[: request.size])
        more = len(found) > request.size
        return cls(items, paging.encode([key(items[-1])]) if more else "")
