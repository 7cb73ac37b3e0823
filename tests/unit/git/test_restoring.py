"""Putting one path of a tree back, by editing tree bytes along the path only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.core.errors import StateError
from services.git import trees
from services.git.packs import object_name
from services.git.restoring import put
from services.git.trees import Entry

BLOB, OTHER = b"a" * 20, b"b" * 20
NAMES = st.sampled_from([b"a", b"a.b", b"a-b", b"a0", b"b", b"dir", b"dir.x", b"z"])


class Store:
    """Trees by name, in memory."""

    def __init__(self) -> None:
        self.trees: dict[bytes, bytes] = {}
        self.read_names: list[bytes] = []

    def read(self, name: bytes) -> bytes:
        self.read_names.append(name)
        return self.trees[name]

    def write(self, data: bytes) -> bytes:
        name = object_name("tree", data)
        self.trees[name] = data
        return name

    def made(self, paths: dict[bytes, bytes]) -> bytes:
        """Give a root tree of files."""
        return trees.edit(b"", paths.items(), self.read, self.write)


def file(blob: bytes = BLOB, mode: bytes = b"100644") -> Entry:
    """Give the entry of a file."""
    return (mode, b"", blob)


@given(st.dictionaries(st.lists(NAMES, min_size=1, max_size=2).map(b"/".join), st.just(OTHER), max_size=8), NAMES)
def test_it_gives_the_tree_that_an_edit_of_the_file_gives(paths: dict[bytes, bytes], name: bytes) -> None:
    """For a plain file both ways to edit a tree agree, git's order of names included."""
    folders = {path.split(b"/")[0] for path in paths if b"/" in path}
    paths = {path: blob for path, blob in paths.items() if path not in folders}
    store = Store()
    root = store.made(paths)
    path = b"new/" + name if b"new" not in paths else name
    edited = trees.edit(root, [(path, BLOB)], store.read, store.write)
    assert put(root, path, file(), store.read, store.write) == edited


def test_mode_and_folders_come_back_as_they_were() -> None:
    """An executable stays one; a whole folder takes the place of another, or of a file."""
    store = Store()
    root = store.made({b"dir/x": OTHER, b"tool": OTHER})
    tool = put(root, b"tool", file(mode=b"100755"), store.read, store.write)
    assert (b"100755", b"tool", BLOB) in trees.parse(tool)
    old = store.write(b"100644 y\0" + BLOB)
    for path in (b"dir", b"tool"):
        again = put(root, path, (trees.TREE, b"", old), store.read, store.write)
        assert (trees.TREE, path, old) in trees.parse(again)


def test_only_trees_on_the_way_are_read_and_a_file_on_it_is_not_overwritten() -> None:
    """The cost follows the depth; what stands in the way is named."""
    store = Store()
    root = store.made({b"a/b/c": OTHER, b"x/y": OTHER})
    put(root, b"a/b/d", file(), store.read, store.write)
    assert len(store.read_names) == 2
    with pytest.raises(StateError, match="'x/y'"):
        put(root, b"x/y/z", file(), store.read, store.write)
