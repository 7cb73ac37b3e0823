"""Puts a path back to what it was at an earlier commit, in a commit of its own."""

import bisect
from dataclasses import dataclass
from typing import Final

from services.core.errors import StateError
from services.git import trees
from services.git.history import entry_at, no_file
from services.git.making import Header, build
from services.git.mirror import Mirror
from services.git.packs import PackWriter
from services.git.pushing import push_now
from services.git.remotes import Remote
from services.git.trees import Entry, ReadTree, WriteTree

_SHORT: Final = 12


@dataclass(frozen=True)
class Place:
    """A branch to push to and what it is now; empty when it must not exist."""

    remote: Remote
    branch: str
    expected_old: str


@dataclass(frozen=True)
class Restored:
    """The commit, or the base where the path is as it was already, and whether it was pushed."""

    commit: str
    tree: str
    pushed: bool


def restore_path(mirror: Mirror, header: Header, from_oid: str, path: bytes, place: Place | None) -> Restored:
    """Make a commit on ``header.base`` in which a file or folder is what it was at ``from_oid``, mode included.

    The same request gives the same commit; nothing is made or pushed where the path is as it was. Raises
    NotFoundError (reason NO_FILE) when there was no such path then; StateError, reason UNKNOWN_COMMIT for a
    commit that is nowhere, NOT_A_FILE when a file now stands where a folder of the path was; and what a push
    raises.
    """
    mirror.healing(lambda: mirror.obtain([header.base, from_oid]))
    entry = mirror.healing(lambda: _entry_at(mirror, from_oid, path))
    if entry is None:
        raise no_file(from_oid, path)
    if mirror.healing(lambda: _entry_at(mirror, header.base, path)) == entry:
        return Restored(header.base, mirror.tree_of(header.base), pushed=False)
    with PackWriter(mirror.path) as pack:
        made = mirror.healing(lambda: build(mirror, header, pack, lambda root, *io: put(root, path, entry, *io)))
    pushed = place is not None and push_now(mirror, place.remote, place.branch, made.commit, place.expected_old)
    return Restored(made.commit, made.tree, pushed)


def message_of(path: bytes, from_oid: str) -> str:
    """Give the message of a commit that nobody wrote one for."""
    return f"Restore {path.decode('utf-8', 'backslashreplace')} to {from_oid[:_SHORT]}\n"


def put(root: bytes, path: bytes, entry: Entry, read: ReadTree, write: WriteTree) -> bytes:
    """Give the content of a root tree in which a path has an entry's mode and object. Pure.

    Raises StateError (reason NOT_A_FILE) where something that is no folder stands on the way.
    """
    return _put(root, path.split(b"/"), 0, entry, read, write)


def _put(data: bytes, parts: list[bytes], depth: int, entry: Entry, read: ReadTree, write: WriteTree) -> bytes:
    name = parts[depth]
    entries = trees.parse(data)
    old = next((one for one in entries if one[1] == name), None)
    new = (entry[0], name, entry[2])
    if depth + 1 < len(parts):
        if old and not trees.is_tree(old[0]):
            raise _in_the_way(b"/".join(parts[: depth + 1]))
        below = _put(read(old[2]) if old else b"", parts, depth + 1, entry, read, write)
        new = (trees.TREE, name, write(below))
    if old == new:
        return data
    others = [one for one in entries if one is not old]
    bisect.insort(others, new, key=trees.sort_key)
    return b"".join([b"%s %s\0%s" % one for one in others])


def _entry_at(mirror: Mirror, commit: str, path: bytes) -> Entry | None:
    with mirror.pool.lease(mirror.path) as reader:
        return entry_at(reader, commit, path)


def _in_the_way(path: bytes) -> StateError:
    return StateError(
        f"{path.decode('utf-8', 'backslashreplace')!r} is a file now, where the path needs a folder",
        remedy="remove it first",
        reason="NOT_A_FILE",
    )
