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
# Atomic and possessive, so that one pass in C looks at a folder of 100,000 without keeping a way back.
_ENTRY_BYTES: Final = rb"(?>[0-7]{5,6} [^\0]+\0.{20})"
_WHOLE: Final = re.compile(_ENTRY_BYTES, re.DOTALL)
_BLOCK: Final = re.compile(_ENTRY_BYTES + rb"{1,64}+", re.DOTALL)
_TAIL: Final = 21  # NUL and object name


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
    """Give the entries of a tree; raise StateError (reason BAD_OBJECTS) when it is malformed."""
    return [_split(whole) for block in _blocks(data) for whole in _WHOLE.findall(block)]


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
    tree = _Tree(data)
    changes: dict[bytes, Entry | None] = {}
    for name, blob in edits.files.items():
        old = tree.get(name)
        if blob is not None:
            changes[name] = (_mode(old, at + name), name, blob)
        elif old and not is_tree(old[0]):
            changes[name] = None
    for name, folder in edits.folders.items():
        old = tree.get(name)
        if _concerns(folder, old, edits.files, at + name):
            before = read(old[2]) if old and is_tree(old[0]) else b""
            after = _apply(before, folder, at + name + b"/", read, write)
            if after and after != before:
                changes[name] = (TREE, name, write(after))
            elif before and not after:
                changes[name] = None
    for name, entry in changes.items():
        tree.put(name, entry)
    return tree.content()


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


class _Tree:
    """A tree as blocks of its bytes. Only blocks that are touched are taken apart; the order is git's to check."""

    def __init__(self, data: bytes) -> None:
        blocks = _blocks(data) or [b""]
        self._blocks: list[bytes | list[bytes]] = [*blocks]
        self._firsts = [sort_key(_split(found.group())) if (found := _WHOLE.match(b)) else b"" for b in blocks]

    def get(self, name: bytes) -> Entry | None:
        """Give the entry of a name, be it a file's or a folder's."""
        for order in (name, name + b"/"):
            block, place = self._place(order)
            if place < len(block):
                entry = _split(block[place])
                if entry[1] == name:
                    return entry
        return None

    def put(self, name: bytes, entry: Entry | None) -> None:
        """Set the entry of a name; None removes it. An entry that stays as it is keeps its bytes."""
        old = self.get(name)
        if old == entry:
            return
        if old:
            block, place = self._place(sort_key(old))
            del block[place]
        if entry:
            block, place = self._place(sort_key(entry))
            block.insert(place, b"%s %s\0%s" % entry)

    def content(self) -> bytes:
        """Give the bytes."""
        return b"".join([block if isinstance(block, bytes) else b"".join(block) for block in self._blocks])

    def _place(self, order: bytes) -> tuple[list[bytes], int]:
        """Give the block where an order belongs, and where in it."""
        number = max(0, bisect.bisect_right(self._firsts, order) - 1)
        block = self._blocks[number]
        if isinstance(block, bytes):
            block = self._blocks[number] = [*_WHOLE.findall(block)]
        return block, bisect.bisect_left(block, order, key=lambda whole: sort_key(_split(whole)))


def _blocks(data: bytes) -> list[bytes]:
    """Cut a tree into blocks of whole entries; raise StateError when something in it is no entry."""
    blocks: list[bytes] = _BLOCK.findall(data)
    if sum(map(len, blocks)) != len(data):
        raise StateError(
            "a folder of the repository is a malformed tree",
            remedy="run `git fsck --strict` in a clone of the repository and mend what it names",
            reason="BAD_OBJECTS",
        )
    return blocks


def _split(whole: bytes) -> Entry:
    mode, _, rest = whole.partition(b" ")
    return mode, rest[:-_TAIL], rest[1 - _TAIL :]


def sort_key(entry: Entry) -> bytes:
    """Give what entries of a tree are sorted by."""
    return entry[1] + b"/" if is_tree(entry[0]) else entry[1]


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "backslashreplace"))
