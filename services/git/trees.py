"""Edits of trees as bytes, along the touched paths only. Pure: reading and writing are passed in.

A tree is ``mode SP name NUL object-name``, over and over, in the order of names, where a folder's name
counts as ending in a slash. Entries nobody touched are taken over as they are, odd modes included.
"""

import bisect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from services.core.errors import InvalidInputError, StateError

Entry: TypeAlias = tuple[bytes, bytes, bytes]  # mode, name, object name
ReadTree: TypeAlias = Callable[[bytes], bytes]
WriteTree: TypeAlias = Callable[[bytes], bytes]

TREE: Final = b"40000"
FILE: Final = b"100644"
_TREES: Final = frozenset({b"40000", b"040000"})
_KIND_MASK: Final = 0o170000
_REGULAR: Final = 0o100000
_ENTRY: Final = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{20})", re.DOTALL)
_ENTRY_OVERHEAD: Final = 22


@dataclass
class _Folder:
    """Edits below one folder: new blobs by name (None: remove), and the folders with edits of their own."""

    files: dict[bytes, bytes | None] = field(default_factory=dict)
    folders: dict[bytes, "_Folder"] = field(default_factory=dict)

    def writes(self) -> bool:
        """Say whether anything is written here or below."""
        return any(blob is not None for blob in self.files.values()) or any(
            folder.writes() for folder in self.folders.values()
        )


def edit(root: bytes, edits: Iterable[tuple[bytes, bytes | None]], read: ReadTree, write: WriteTree) -> bytes:
    """Give the content of the root tree after the edits.

    ``root`` is the content of the base's root tree; an edit is a path and the 20-byte name of its new blob,
    or None to remove it. ``read`` gives a tree's content by name; ``write`` stores one and gives its name.
    A file gives way to a folder and the other way round; a mode is kept; an empty folder goes. Removing
    what is not there changes nothing. Raises InvalidInputError for edits that contradict one another,
    StateError (reason NOT_A_FILE) where a symbolic link or submodule would be overwritten.
    """
    return _apply(root, _nest(edits), b"", read, write)


def parse(data: bytes) -> list[Entry]:
    """Give the entries of a tree; raise ValueError when it is malformed."""
    entries: list[Entry] = _ENTRY.findall(data)
    if sum(len(mode) + len(name) for mode, name, _ in entries) + _ENTRY_OVERHEAD * len(entries) != len(data):
        raise ValueError("malformed tree")
    return entries


def is_tree(mode: bytes) -> bool:
    """Say whether a mode is a folder's."""
    return mode in _TREES


def _nest(edits: Iterable[tuple[bytes, bytes | None]]) -> _Folder:
    root = _Folder()
    for path, blob in edits:
        *parents, name = path.split(b"/")
        folder = root
        for parent in parents:
            folder = folder.folders.setdefault(parent, _Folder())
        if name in folder.files:
            raise InvalidInputError(
                f"the path {_shown(path)} is edited twice in one commit",
                remedy="send one edit for each path",
            )
        folder.files[name] = blob
    return root


def _apply(data: bytes, edits: _Folder, at: bytes, read: ReadTree, write: WriteTree) -> bytes:
    entries = parse(data)
    places = {name: place for place, (_, name, _) in enumerate(entries)}
    changes: dict[bytes, Entry | None] = {}
    for name, blob in edits.files.items():
        old = entries[places[name]] if name in places else None
        if blob is not None:
            changes[name] = (_mode(old, at + name), name, blob)
        elif old and not is_tree(old[0]):
            changes[name] = None
    for name, folder in edits.folders.items():
        old = entries[places[name]] if name in places else None
        if _concerns(folder, old, edits.files, at + name):
            before = read(old[2]) if old and is_tree(old[0]) else b""
            after = _apply(before, folder, at + name + b"/", read, write)
            if after and after != before:
                changes[name] = (TREE, name, write(after))
            elif before and not after:
                changes[name] = None
    return _splice(data, entries, places, changes)


def _concerns(folder: _Folder, old: Entry | None, files: dict[bytes, bytes | None], path: bytes) -> bool:
    """Say whether edits below a folder have anything to do, given what is and what will be at its own path."""
    name = path.rpartition(b"/")[2]
    if files.get(name) is not None:
        if folder.writes():
            raise InvalidInputError(
                f"{_shown(path)} is to be both a file and a folder",
                remedy="send one or the other",
            )
        return False
    if old and not is_tree(old[0]):
        if name not in files and folder.writes():
            _mode(old, path)
        return folder.writes()
    return True


def _mode(old: Entry | None, path: bytes) -> bytes:
    """Give the mode of a file that is written where ``old`` was."""
    if old is None or is_tree(old[0]):
        return FILE
    if int(old[0], 8) & _KIND_MASK != _REGULAR:
        raise StateError(
            f"{_shown(path)} is a symbolic link or a submodule",
            remedy="change it in Git, or remove it first",
            reason="NOT_A_FILE",
        )
    return old[0]


def _splice(data: bytes, entries: list[Entry], places: dict[bytes, int], changes: dict[bytes, Entry | None]) -> bytes:
    changes = {n: e for n, e in changes.items() if e is None or n not in places or entries[places[n]] != e}
    if not changes:
        return data
    added: list[Entry] = []
    gone: set[int] = set()
    for name, entry in changes.items():
        place = places.get(name)
        if entry and place is not None and is_tree(entry[0]) == is_tree(entries[place][0]):
            entries[place] = entry
            continue
        if place is not None:
            gone.add(place)
        if entry:
            added.append(entry)
    if gone:
        entries = [entry for place, entry in enumerate(entries) if place not in gone]
    for entry in added:
        bisect.insort(entries, entry, key=_order)
    return b"".join([b"%s %s\0%s" % entry for entry in entries])


def _order(entry: Entry) -> bytes:
    return entry[1] + b"/" if is_tree(entry[0]) else entry[1]


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "backslashreplace"))
