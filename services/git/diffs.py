"""Unified diffs, as git writes them: between two commits, or between a commit and content that is in none."""

import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.git import names, trees
from services.git.failures import GitFailed
from services.git.making import Edit
from services.git.mirror import Mirror
from services.git.packs import Kind, object_name
from services.git.runner import Argument
from services.git.supplying import supply_changed

DEFAULT_BYTES: Final = 10 * 1024 * 1024
MOST_BYTES: Final = 100 * 1024 * 1024
DEFAULT_CONTEXT: Final = 3
MOST_CONTEXT: Final = 100
_CHUNK: Final = 512 * 1024
# Paths of any script stay readable; git quotes only what would break a line.
_PLAIN_PATHS: Final = {"GIT_CONFIG_PARAMETERS": "'core.quotePath=false'"}


@dataclass(frozen=True)
class Shape:
    """How a diff is made: of which paths, with how many lines around a change, and how much of it is wanted."""

    paths: Sequence[bytes] = ()
    find_renames: bool = False
    context: int = DEFAULT_CONTEXT
    limit: int = DEFAULT_BYTES


def between(mirror: Mirror, old: str, new: str, shape: Shape) -> Iterator[tuple[bytes, bool]]:
    """Give the diff of two commits or trees in pieces, and with each whether the diff was cut off after it."""
    roots = mirror.healing(lambda: [_root(mirror, old), _root(mirror, new)])
    mirror.healing(lambda: supply_changed(mirror, roots[0], roots[1], shape.paths, renames=False))
    yield from _diff(mirror, roots, shape, _PLAIN_PATHS)


def against(mirror: Mirror, old: str, edit: Edit, shape: Shape) -> Iterator[tuple[bytes, bool]]:
    """Give the diff of a commit and the same with one file edited, in pieces as ``between`` does.

    Nothing is written to the mirror: the objects that git compares with lie beside it and go away.
    """
    root = mirror.healing(lambda: _root(mirror, old))
    with tempfile.TemporaryDirectory(prefix="lockstep-diff-") as name:
        objects = Path(name)
        new = mirror.healing(lambda: _edited(mirror, root, edit, objects))
        extra = {**_PLAIN_PATHS, "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{objects}"'}
        yield from _diff(mirror, [root, new], shape, extra)


def _edited(mirror: Mirror, root: str, edit: Edit, objects: Path) -> str:
    with mirror.pool.lease(mirror.path) as reader:

        def read(name: bytes) -> bytes:
            ((info, data),) = reader.contents([name.hex()])
            if not info.kind:
                raise GitFailed("cat-file", 128, f"fatal: missing tree {name.hex()}")
            return data

        def write(data: bytes) -> bytes:
            return _store(objects, "tree", data)

        before = b"" if root == names.EMPTY_TREE else read(bytes.fromhex(root))
        blob = None if edit.content is None else _store(objects, "blob", edit.content)
        return write(trees.edit(before, [(edit.path, blob)], read, write)).hex()


def _store(objects: Path, kind: Kind, data: bytes) -> bytes:
    """Write a loose object; give its name."""
    name = object_name(kind, data)
    folder = objects / name.hex()[:2]
    folder.mkdir(exist_ok=True)
    (folder / name.hex()[2:]).write_bytes(zlib.compress(b"%s %d\0" % (kind.encode(), len(data)) + data, 1))
    return name


def _root(mirror: Mirror, oid: str) -> str:
    """Give the root tree of a commit or tree, fetched where the mirror lacks it."""
    if not oid or oid == names.EMPTY_TREE:
        return names.EMPTY_TREE
    if mirror.info([oid])[0].kind == "tree":
        return oid
    mirror.obtain([oid])
    return mirror.tree_of(oid)


def _diff(mirror: Mirror, roots: Sequence[str], shape: Shape, extra: dict[str, str]) -> Iterator[tuple[bytes, bool]]:
    head: list[Argument] = ["diff-tree", "-r", "-p", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"]
    renames = ["-M", "-l1000"] if shape.find_renames else ["--no-renames"]
    args = [*head, *renames, f"-U{shape.context}", "--end-of-options", *roots, "--", *shape.paths]
    yield from mirror.healing_stream(lambda: _pieces(mirror, args, shape.limit, extra))


def _pieces(
    mirror: Mirror, args: Sequence[Argument], limit: int, extra: dict[str, str]
) -> Iterator[tuple[bytes, bool]]:
    with mirror.runner.start(args, at=mirror.path, remote=mirror.promising(), extra=extra) as (process, watched):
        process.keep_stderr()
        room = limit
        while data := process.stdout.read(_CHUNK):
            if len(data) > room:
                yield data[:room], True
                return
            room -= len(data)
            yield data, False
        mirror.runner.judge(process, process.finish(), (0,), watched)
