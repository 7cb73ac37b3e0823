"""Answers of any length, in groups that fit a message."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from google.protobuf.message import Message

_BYTES: Final = 1024 * 1024
M = TypeVar("M", bound=Message)


def by_size(items: Iterable[M]) -> Iterator[list[M]]:
    """Give items in groups of at most 1 MiB each, or of one that is larger; one empty group where there are none."""
    group: list[M] = []
    size = 0
    for item in items:
        if size and size + item.ByteSize() > _BYTES:
            yield group
            group, size = [], 0
        group.append(item)
        size += item.ByteSize()
    yield group
