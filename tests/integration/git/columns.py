"""Reads the columns of the git service's answers, by their description in the contract alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from protos.git.v1 import git_pb2


@dataclass(frozen=True)
class Changed:
    """One path that differs between two trees; what a side does not have is empty or 0."""

    status: str
    path: bytes
    old_path: bytes
    old_blob: str
    new_blob: str
    old_mode: int
    new_mode: int


def changes(answers: Iterable[git_pb2.ListChangedPathsResponse]) -> list[Changed]:
    """Give the changes in a stream; every column has exactly as many entries as it should."""
    found: list[Changed] = []
    for answer in answers:
        statuses = answer.statuses.decode()
        paths, old_paths = ended(answer.paths), ended(answer.old_paths)
        old = list(zip(names(answer.old_blobs), answer.old_modes, strict=True))
        new = list(zip(names(answer.new_blobs), answer.new_modes, strict=True))
        for status, path in zip(statuses, paths, strict=True):
            old_path = old_paths.pop(0) if status == "R" else b""
            old_blob, old_mode = old.pop(0) if status != "A" else ("", 0)
            new_blob, new_mode = new.pop(0) if status != "D" else ("", 0)
            found.append(Changed(status, path, old_path, old_blob, new_blob, old_mode, new_mode))
        assert not old
        assert not new
        assert not old_paths
    return found


def blobs(answers: Iterable[git_pb2.ReadBlobsResponse], limit: int = 10 * 1024 * 1024) -> list[tuple[int, bytes]]:
    """Give size and content of the blobs in a stream."""
    sizes: list[int] = []
    data = b""
    for answer in answers:
        sizes += answer.sizes
        data += answer.data
    found: list[tuple[int, bytes]] = []
    at = 0
    for size in sizes:
        length = size if 0 <= size <= limit else 0
        found.append((size, data[at : at + length]))
        at += length
    assert at == len(data)
    return found


def ended(column: bytes) -> list[bytes]:
    """Give the parts of a column, each of which ends with NUL."""
    *parts, rest = column.split(b"\0")
    assert not rest
    return parts


def names(column: str | bytes) -> list[str]:
    """Give the object names in a column."""
    text = column if isinstance(column, str) else column.decode()
    assert len(text) % 40 == 0
    return [text[at : at + 40] for at in range(0, len(text), 40)]
