"""Reads history: what changed between two trees, which commits lie between two, how far behind one is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.core.errors import InvalidInputError, NotFoundError
from services.git import commits, names, tree_diff, trees
from services.git.failures import GitFailed, unreadable
from services.git.mirror import Mirror
from services.git.objects import Reader
from services.git.paging import page_size, page_token, skipped
from services.git.supplying import supply, supply_changed
from services.git.tree_diff import Change

# A message of gRPC takes 12 MiB; bytes that are no UTF-8 grow to three when they are replaced.
_MAX_COMMIT_BYTES: Final = 256 * 1024
_PAGE_BYTES: Final = 2 * 1024 * 1024
_SUBMODULE: Final = b"160000"


@dataclass(frozen=True)
class File:
    """One file at a commit."""

    content: bytes
    blob: str
    mode: int


def changed_paths(
    mirror: Mirror,
    old: str,
    new: str,
    folders: Sequence[bytes],
    *,
    find_renames: bool,
) -> Iterator[Change]:
    """Give the paths that differ between two commits or trees, in path order.

    Raises StateError (reason UNKNOWN_COMMIT) when one of them is neither in the mirror nor on a remote.
    """
    before, after = mirror.healing(lambda: _roots(mirror, [old or names.EMPTY_TREE, new]))
    sent = False
    for attempt in (1, 2):
        try:
            if find_renames:
                supply_changed(mirror, before, after, folders, renames=True)
            for change in tree_diff.changes(mirror, before, after, folders, find_renames=find_renames):
                sent = True
                yield change
        except GitFailed as failure:
            if sent or attempt == 2:  # noqa: PLR2004
                raise unreadable(failure) from None
            mirror.heal(failure)
        else:
            return


def behind(mirror: Mirror, remote_oid: str, imported_oid: str) -> int:
    """Give the number of commits in ``remote_oid`` that are not in ``imported_oid``; -1 when it is not known."""
    if remote_oid == imported_oid:
        return 0
    wanted = [oid for oid in (remote_oid, imported_oid) if oid]
    limits = [f"^{imported_oid}"] if imported_oid else []
    try:
        if not mirror.exists() or any(info.kind != "commit" for info in mirror.info(wanted)):
            return -1
        done = mirror.runner.run(["rev-list", "--count", remote_oid, *limits, "--"], at=mirror.path)
    except GitFailed:
        mirror.suspect()
        return -1
    return int(done.stdout)


def read_file(mirror: Mirror, commit: str, path: bytes) -> File:
    """Give a file at a commit.

    Raises NotFoundError (reason NO_FILE) when there is none, InvalidInputError (reason TOO_LARGE) when it is
    larger than the policy allows.
    """
    mirror.healing(lambda: mirror.obtain([commit]))
    return mirror.healing(lambda: _read_file(mirror, commit, path))


def list_commits(
    mirror: Mirror,
    to_oid: str,
    from_oid: str,
    path: bytes,
    size: int,
    token: str,
) -> tuple[list[commits.Commit], str]:
    """Give a page of the commits in ``to_oid`` and not in ``from_oid``, newest first, and the next page's token."""
    size, skip = page_size(size), skipped(token)
    mirror.healing(lambda: mirror.obtain([oid for oid in (to_oid, from_oid) if oid]))
    limits = [f"^{from_oid}"] if from_oid else []
    paths = [path] if path else []
    args: list[str | bytes] = [
        "rev-list",
        f"--max-count={size + 1}",
        f"--skip={skip}",
        to_oid,
        *limits,
        "--",
        *paths,
    ]
    listed = mirror.healing(lambda: mirror.runner.run(args, at=mirror.path)).stdout.decode("ascii").split()
    page = listed[:size]
    with mirror.pool.lease(mirror.path) as reader:
        found: list[commits.Commit] = []
        room = _PAGE_BYTES
        for info, data in reader.contents(page, _MAX_COMMIT_BYTES):
            room -= len(data)
            if room >= 0 or not found:
                found.append(commits.read(info.oid, data))
    return found, page_token(skip + len(found)) if len(listed) > len(found) else ""


def entry_at(reader: Reader, commit: str, path: bytes) -> trees.Entry | None:
    """Give the tree entry of a path at a commit; None when there is none. The mirror must have the commit."""
    tree = commits.read(commit, _whole(reader.contents([commit]))).tree
    entry: trees.Entry = (trees.TREE, b"", bytes.fromhex(tree))
    for name in path.split(b"/"):
        entries = trees.parse(_whole(reader.contents([entry[2].hex()]))) if trees.is_tree(entry[0]) else []
        found = next((one for one in entries if one[1] == name), None)
        if found is None:
            return None
        entry = found
    return entry


def _read_file(mirror: Mirror, commit: str, path: bytes) -> File:
    with mirror.pool.lease(mirror.path) as reader:
        entry = entry_at(reader, commit, path)
        if entry is None:
            raise no_file(commit, path)
        mode, oid = entry[0], entry[2].hex()
        if not trees.is_tree(mode) and mode != _SUBMODULE:
            supply(mirror, [oid])
        (info,) = reader.info([oid])
        if info.kind != "blob":
            raise no_file(commit, path)
        limit = mirror.runner.policy.max_file_bytes
        if info.size > limit:
            raise InvalidInputError(
                f"{_shown(path)} has {info.size} bytes, more than the {limit} that are read at once",
                remedy="read it in a clone of the repository",
                reason="TOO_LARGE",
            )
        return File(_whole(reader.contents([oid])), oid, int(mode, 8))


def _whole(answers: Iterator[tuple[object, bytes]]) -> bytes:
    ((info, data),) = answers
    if not getattr(info, "kind", ""):
        raise GitFailed("cat-file", 128, "fatal: failed to read object")
    return data


def _roots(mirror: Mirror, oids: Sequence[str]) -> list[str]:
    """Give the root trees of commits or trees, fetched where they are not in the mirror."""
    with mirror.pool.lease(mirror.path) as reader:
        roots = reader.trees(oids)
    if all(roots):
        return roots
    mirror.obtain([oid for oid, root in zip(oids, roots, strict=True) if not root])
    with mirror.pool.lease(mirror.path) as reader:
        roots = reader.trees(oids)
    if not all(roots):
        raise GitFailed("cat-file", 128, f"fatal: unable to read tree of {oids[roots.index('')]}")
    return roots


def no_file(commit: str, path: bytes) -> NotFoundError:
    """Say that a commit has no such file."""
    return NotFoundError(
        f"there is no file {_shown(path)} at {commit}",
        remedy="name a file of that commit",
        reason="NO_FILE",
    )


def _shown(path: bytes) -> str:
    return repr(path.decode("utf-8", "backslashreplace"))
