"""Commits by tree edits against git's own index."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.core.errors import InvalidInputError, StateError
from services.git import trees
from services.git.packs import PackWriter, object_name
from tests.standins.git_http import git

NAMES = st.sampled_from([b"a", b"b", b"a.b", b"a-b", b"a0", b"ab", b"\xff", b"A"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)
OIDS = st.sampled_from([bytes([n]) * 20 for n in (1, 10, 13, 32, 48, 255)])
MODES = st.sampled_from([b"100644", b"100644", b"100755", b"120000", b"160000"])
LINKS = (b"120000", b"160000")


def below(path: bytes, folder: bytes) -> bool:
    """Say whether a path is in a folder."""
    return path.startswith(folder + b"/")


def without_conflicts(files: dict[bytes, tuple[bytes, bytes]]) -> dict[bytes, tuple[bytes, bytes]]:
    """Leave out files that others need as folders."""
    return {p: v for p, v in files.items() if not any(below(q, p) for q in files)}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an empty bare repository."""
    path = tmp_path_factory.mktemp("index") / "r.git"
    git(path.parent, "init", "-q", "--bare", path)
    return path


def by_index(repository: Path, steps: list[bytes]) -> str:
    """Give the tree that git's index makes of the lines of ``update-index --index-info``."""
    index = repository / "test-index"
    index.unlink(missing_ok=True)
    environment = os.environ | {"GIT_INDEX_FILE": str(index)}
    for lines in steps:
        args = ["git", "update-index", "--replace", "-z", "--index-info"]
        subprocess.run(args, cwd=repository, env=environment, input=lines, check=True)
    args = ["git", "write-tree", "--missing-ok"]
    return (
        subprocess.run(args, cwd=repository, env=environment, capture_output=True, check=True).stdout.decode().strip()
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    base=st.dictionaries(PATHS, st.tuples(MODES, OIDS), max_size=12).map(without_conflicts),
    edits=st.dictionaries(PATHS, st.none() | OIDS, max_size=8),
)
def test_edits_give_the_tree_that_the_index_gives(
    repository: Path, base: dict[bytes, tuple[bytes, bytes]], edits: dict[bytes, bytes | None]
) -> None:
    """For any files and any edits that do not contradict one another: the same tree, to the byte."""
    written = {path for path, blob in edits.items() if blob is not None}
    store: dict[bytes, bytes] = {}

    def write(data: bytes) -> bytes:
        store[object_name("tree", data)] = data
        return object_name("tree", data)

    start = trees.edit(b"", [(path, blob) for path, (_, blob) in base.items()], store.__getitem__, write)
    start = with_modes(start, base, store, write)
    contradiction = any(below(p, q) for p in written for q in written)
    link = any(
        mode in LINKS and (path in written or (path not in edits and any(below(w, path) for w in written)))
        for path, (mode, _) in base.items()
    )
    if contradiction or link:
        with pytest.raises((InvalidInputError, StateError)):
            trees.edit(start, edits.items(), store.__getitem__, write)
        return
    after = trees.edit(start, edits.items(), store.__getitem__, write)
    lines = [b"%s %s\t%s\0" % (mode, blob.hex().encode(), path) for path, (mode, blob) in base.items()]
    gone = [b"0 %s\t%s\0" % (b"0" * 40, path) for path, blob in edits.items() if blob is None]
    new = [
        b"%s %s\t%s\0" % (base.get(path, (b"100644",))[0], blob.hex().encode(), path)
        for path, blob in edits.items()
        if blob is not None
    ]
    assert object_name("tree", after).hex() == by_index(repository, [b"".join(lines), b"".join(gone), b"".join(new)])


def with_modes(
    root: bytes,
    files: dict[bytes, tuple[bytes, bytes]],
    store: dict[bytes, bytes],
    write: trees.WriteTree,
    at: bytes = b"",
) -> bytes:
    """Give a tree whose files have the modes they should."""
    made = b""
    for mode, name, oid in trees.parse(root):
        if trees.is_tree(mode):
            made += b"40000 %s\0%s" % (name, write(with_modes(store[oid], files, store, write, at + name + b"/")))
        else:
            made += b"%s %s\0%s" % (files[at + name][0], name, oid)
    return made


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=40))
def test_a_pack_is_what_git_would_have_written(repository: Path, contents: list[bytes]) -> None:
    """Git verifies pack and index, and reads every object back."""
    with PackWriter(repository) as pack:
        names = [pack.add("blob", content).hex() for content in contents]
        pack.finish()
    for index in repository.glob("objects/pack/*.idx"):
        git(repository, "verify-pack", index)
    done = subprocess.run(
        ["git", "cat-file", "--batch"],
        cwd=repository,
        input="\n".join(names).encode(),
        capture_output=True,
        check=True,
    )
    expected = b"".join(b"%s blob %d\n%s\n" % (n.encode(), len(c), c) for n, c in zip(names, contents, strict=True))
    assert done.stdout == expected
    for file in repository.glob("objects/pack/*"):
        file.unlink()
