"""Makes commits in a mirror without a work tree: by editing trees, and by merging."""

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from services.core.errors import StateError
from services.git import commits, names, trees
from services.git.commits import Person
from services.git.failures import GitFailed
from services.git.mirror import Mirror
from services.git.objects import Reader
from services.git.packs import PackWriter, object_name
from services.git.supplying import supply_merge

# The content of a root tree, what reads a tree and what writes one, to the content after a change.
ChangeTree: TypeAlias = Callable[[bytes, trees.ReadTree, trees.WriteTree], bytes]

KEPT: Final = "refs/lockstep/"
_REF_IN_THE_WAY: Final = re.compile(r"exists; cannot create|is not empty|there are still refs under")
_SHOWN_CONFLICTS: Final = 20


@dataclass(frozen=True)
class Header:
    """What a commit says and stands on. Times are seconds since the epoch, UTC; ``author_time`` 0 is ``time``."""

    base: str
    message: str
    author: Person
    committer: Person
    time: int
    keep_as: str
    author_time: int = 0


@dataclass(frozen=True)
class Edit:
    """New content of a path; None removes it."""

    path: bytes
    content: bytes | None


@dataclass(frozen=True)
class Made:
    """A commit, its tree, and the blobs of the edits in the order they came; empty for a removal."""

    commit: str
    tree: str
    blobs: tuple[str, ...] = ()


def create_commit(mirror: Mirror, header: Header, edits: Iterable[Edit]) -> Made:
    """Make a commit by editing the trees of its base; the same request gives the same commit.

    Raises StateError, reason UNKNOWN_COMMIT when the base is nowhere, NOT_A_FILE when an edit would
    overwrite a link; InvalidInputError when edits contradict one another.
    """
    mirror.ensure()
    with PackWriter(mirror.path) as pack:
        blobs = [(e.path, None if e.content is None else pack.add("blob", e.content)) for e in edits]
        made = mirror.healing(lambda: build(mirror, header, pack, lambda root, *io: trees.edit(root, blobs, *io)))
    return replace(made, blobs=tuple(blob.hex() if blob else "" for _, blob in blobs))


def create_merge(
    mirror: Mirror, ours: str, theirs: str, message: str, author: Person, committer: Person, time: int
) -> str:
    """Merge two commits; give the merge commit, or ``ours`` when ``theirs`` is in it already.

    Raises StateError (reason MERGE_CONFLICT, the paths in the message) when git cannot merge them.
    """
    mirror.healing(lambda: mirror.obtain([ours, theirs]))
    if mirror.healing(lambda: is_ancestor(mirror, theirs, ours)):
        return ours
    mirror.check_room()
    mirror.healing(lambda: supply_merge(mirror, ours, theirs))
    with mirror.writing() as held:
        args = [
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--no-messages",
            "--allow-unrelated-histories",
        ]
        args += [ours, theirs]
        promising = mirror.promising()
        done = mirror.runner.run(args, at=mirror.path, remote=promising, keep_fd=held.fd, good=(0, 1))
        tree, *paths = done.stdout.split(b"\0")
        if done.code:
            raise _conflict(ours, theirs, [path for path in paths if path])
        parents = [ours, theirs]
        content = commits.write(tree.decode("ascii"), parents, author, committer, time, message, sign=mirror.signer())
        name = object_name("commit", content).hex()
        if not mirror.has_commit(name):
            with PackWriter(mirror.path) as pack:
                pack.add("commit", content)
                pack.finish()
        _keep(mirror, f"merges/{name}", name, held.fd)
    return name


def is_ancestor(mirror: Mirror, older: str, newer: str) -> bool:
    """Say whether one commit is reachable from another; both must be in the mirror."""
    done = mirror.runner.run(["merge-base", "--is-ancestor", older, newer], at=mirror.path, good=(0, 1))
    return done.code == 0


def build(mirror: Mirror, header: Header, pack: PackWriter, change: ChangeTree) -> Made:
    """Make a commit whose tree is the base's after ``change``, and finish the pack with it."""
    mirror.check_room()
    mirror.obtain([header.base])
    with mirror.pool.lease(mirror.path) as reader:
        base_tree = commits.read(header.base, _content(reader, header.base)).tree
        before = _content(reader, base_tree)

        def read(name: bytes) -> bytes:
            return _content(reader, name.hex())

        after = change(before, read, lambda data: pack.add("tree", data))
    tree = pack.add("tree", after).hex()
    content = commits.write(
        tree,
        [header.base],
        header.author,
        header.committer,
        header.time,
        header.message,
        author_time=header.author_time,
        sign=mirror.signer(),
    )
    commit = pack.add("commit", content).hex()
    with mirror.writing() as held:
        if not mirror.has_commit(commit):
            pack.finish()
        _keep(mirror, header.keep_as, commit, held.fd)
    return Made(commit, tree)


def _content(reader: Reader, oid: str) -> bytes:
    if oid == names.EMPTY_TREE:
        return b""
    ((info, data),) = reader.contents([oid])
    if not info.kind:
        raise GitFailed("cat-file", 128, f"fatal: missing tree {oid}")
    return data


def _keep(mirror: Mirror, keep_as: str, oid: str, fd: int) -> None:
    if not keep_as:
        return
    name = KEPT + names.ref_part(keep_as, "keep_as")
    with contextlib.suppress(OSError, UnicodeError):
        if (mirror.path / name).read_text(encoding="ascii").strip() == oid:
            return
    try:
        mirror.runner.run(["update-ref", "--no-deref", "--end-of-options", name, oid], at=mirror.path, keep_fd=fd)
    except GitFailed as failure:
        if _REF_IN_THE_WAY.search(failure.said):
            raise _in_the_way(keep_as) from None
        raise


def _in_the_way(keep_as: str) -> StateError:
    return StateError(
        f"{keep_as!r} cannot be kept: another name is a part of it, or it is a part of another name",
        remedy="keep the commit under a name of its own",
        reason="REF_IN_THE_WAY",
    )


def _conflict(ours: str, theirs: str, paths: Sequence[bytes]) -> StateError:
    shown = [path.decode("utf-8", "backslashreplace") for path in paths]
    listed = ", ".join(shown[:_SHOWN_CONFLICTS]) + (", …" if len(shown) > _SHOWN_CONFLICTS else "")
    return StateError(
        f"git cannot merge {theirs} into {ours}: both changed {listed}",
        remedy="merge the target branch into it by hand, or close it and publish again",
        reason="MERGE_CONFLICT",
        metadata={"paths": "\n".join(shown)[:2000]},
    )
