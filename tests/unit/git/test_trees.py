"""Edits of trees, on trees in memory."""

import hashlib

import pytest

from services.core.errors import InvalidInputError, StateError
from services.git import trees


class Store:
    """Trees by name; counts what is read and written."""

    def __init__(self) -> None:
        self.trees: dict[bytes, bytes] = {}
        self.read_names: list[bytes] = []

    def read(self, name: bytes) -> bytes:
        self.read_names.append(name)
        return self.trees[name]

    def write(self, data: bytes) -> bytes:
        name = hashlib.sha1(b"tree %d\0" % len(data) + data, usedforsecurity=False).digest()
        self.trees[name] = data
        return name

    def edit(self, root: bytes, **edits: bytes | None) -> bytes:
        pairs = [(path.replace("__", "/").encode(), blob) for path, blob in edits.items()]
        return trees.edit(root, pairs, self.read, self.write)

    def listing(self, root: bytes, prefix: bytes = b"") -> dict[bytes, tuple[bytes, bytes]]:
        found: dict[bytes, tuple[bytes, bytes]] = {}
        for mode, name, oid in trees.parse(root):
            if trees.is_tree(mode):
                found |= self.listing(self.trees[oid], prefix + name + b"/")
            else:
                found[prefix + name] = (mode, oid)
        return found


ONE, TWO = b"1" * 20, b"2" * 20


@pytest.fixture
def store() -> Store:
    """Give an empty store."""
    return Store()


def test_a_file_gives_way_to_a_folder_and_back(store: Store) -> None:
    """Writing below a file replaces it; writing over a folder replaces that."""
    root = store.edit(b"", a=ONE, b=ONE)
    root = store.edit(root, a__x=TWO)
    assert store.listing(root) == {b"a/x": (b"100644", TWO), b"b": (b"100644", ONE)}
    root = store.edit(root, a=ONE)
    assert store.listing(root) == {b"a": (b"100644", ONE), b"b": (b"100644", ONE)}


def test_an_empty_folder_goes(store: Store) -> None:
    """Removing the last file of a folder removes the folder, and its parents where they are empty then."""
    root = store.edit(b"", a__b__c=ONE, d=ONE)
    assert store.listing(store.edit(root, a__b__c=None)) == {b"d": (b"100644", ONE)}
    assert store.edit(store.edit(root, a__b__c=None), d=None) == b""


def test_a_mode_is_kept_and_a_link_is_not_overwritten(store: Store) -> None:
    """An executable stays one; links and submodules may be removed but not written through."""
    root = b"120000 link\0" + ONE + b"160000 module\0" + ONE + b"100755 run\0" + ONE
    assert store.listing(store.edit(root, run=TWO))[b"run"] == (b"100755", TWO)
    for name in ("link", "module", "link__x", "module__x"):
        with pytest.raises(StateError) as refused:
            store.edit(root, **{name: TWO})
        assert refused.value.reason == "NOT_A_FILE"
    assert b"link" not in store.listing(store.edit(root, link=None))
    assert store.listing(store.edit(root, link=None, link__x=TWO))[b"link/x"] == (b"100644", TWO)


def test_removing_what_is_not_there_changes_nothing(store: Store) -> None:
    """Neither a missing file, nor below a file, nor a folder by its name."""
    root = store.edit(b"", a=ONE, b__c=ONE)
    assert store.edit(root, x=None, a__x=None, b=None, y__z=None) == root


def test_contradictions_are_refused(store: Store) -> None:
    """A path twice, or both as a file and as a folder."""
    with pytest.raises(InvalidInputError):
        trees.edit(b"", [(b"a", ONE), (b"a", TWO)], store.read, store.write)
    with pytest.raises(InvalidInputError):
        store.edit(b"", a=ONE, a__b=TWO)
    with pytest.raises(InvalidInputError):
        store.edit(store.edit(b"", a__c=ONE), a=ONE, a__b=TWO)


def test_only_touched_folders_are_read(store: Store) -> None:
    """Cost follows the change: folders beside the path stay unread."""
    root = store.edit(b"", a__x=ONE, b__x=ONE, c__x=ONE)
    store.read_names.clear()
    store.edit(root, b__y=TWO)
    assert len(store.read_names) == 1


def test_untouched_entries_stay_byte_for_byte(store: Store) -> None:
    """An odd historic mode next to the edit is not tidied."""
    root = b"100664 a\0" + ONE + b"040000 b\0" + ONE + b"100644 c\0" + ONE
    edited = store.edit(root, c=TWO)
    assert edited == b"100664 a\0" + ONE + b"040000 b\0" + ONE + b"100644 c\0" + TWO


def test_a_malformed_tree_is_noticed() -> None:
    """A cut tree is an error, not a shorter tree."""
    with pytest.raises(StateError, match="malformed"):
        trees.parse(b"100644 a\0" + ONE[:-1])
