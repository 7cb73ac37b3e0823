"""Gets for a partial mirror what is about to be read, in one request each time; nothing happens in a whole one.

What git then turns out to need beyond that, it asks for itself, where it runs with ``Mirror.promising``.
Nothing of this may be called while the writer lock is held, which it takes.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from services.core.errors import NotFoundError, StateError
from services.git import names, transfer, tree_diff
from services.git.locks import Held
from services.git.mirror import Mirror
from services.git.remotes import Remote
from services.git.tree_diff import Change

# How often a remote may say that it does not have what its own trees name.
_REFUSALS: Final = 8
_SUBMODULE: Final = 0o160000
_ADDED: Final = b"A"
_DELETED: Final = b"D"


def supply(mirror: Mirror, oids: Iterable[str]) -> None:
    """Fetch those of some blobs that are missing; one that no remote has stays missing.

    Raises BusyError (reason QUOTA), what a fetch raises, and StateError: NO_PARTIAL_CLONE where the remote gives
    nothing by name, BAD_OBJECTS where it lacks many.
    """
    if not mirror.partial:
        return
    missing = _missing(mirror, list(dict.fromkeys(oids)))
    if not missing:
        return
    mirror.check_room()
    with mirror.credentials_checked(), mirror.writing() as held:
        for remote in mirror.remotes():
            # Somebody else may have fetched some of them meanwhile.
            missing = _missing(mirror, missing)
            if missing:
                _fetch(mirror, remote, missing, held)


def supply_reachable(mirror: Mirror, new: str, known: Sequence[str], paths: Sequence[bytes] = ()) -> None:
    """Fetch the blobs below ``paths`` that commits up to ``new`` hold and the known ones do not."""
    if mirror.partial:
        supply(mirror, _lacking(mirror, [new, *(f"^{oid}" for oid in known)], paths))


def supply_changed(mirror: Mirror, old: str, new: str, paths: Sequence[bytes], *, renames: bool) -> None:
    """Fetch the blobs in which two trees differ: all of them, or those that a search for renames compares."""
    if mirror.partial:
        found = tree_diff.changes(mirror, old, new, paths, find_renames=False)
        wanted = (_ADDED, _DELETED) if renames else ()
        supply(mirror, [oid for change in found if not wanted or change.status in wanted for oid in _blobs(change)])


def supply_merge(mirror: Mirror, ours: str, theirs: str) -> None:
    """Fetch what a merge of two commits reads: paths that both sides changed, and what may have been renamed."""
    if not mirror.partial:
        return
    bases = mirror.runner.run(["merge-base", "--all", ours, theirs], at=mirror.path, good=(0, 1)).stdout.split()
    trees = [mirror.tree_of(commit) for commit in (ours, theirs)]
    wanted: list[str] = []
    for base in [mirror.tree_of(oid.decode("ascii")) for oid in bases] or [names.EMPTY_TREE]:
        left, right = (list(tree_diff.changes(mirror, base, tree, (), find_renames=False)) for tree in trees)
        both = {change.path for change in left} & {change.path for change in right}
        for change in (*left, *right):
            if change.path in both or change.status in (_ADDED, _DELETED):
                wanted += _blobs(change)
    supply(mirror, wanted)


def _blobs(change: Change) -> Iterator[str]:
    if change.status != _ADDED and change.old_mode != _SUBMODULE:
        yield change.old_blob.decode("ascii")
    if change.status != _DELETED and change.new_mode != _SUBMODULE:
        yield change.new_blob.decode("ascii")


def _missing(mirror: Mirror, oids: Sequence[str]) -> list[str]:
    return [info.oid for info in mirror.info(oids) if not info.kind]


def _lacking(mirror: Mirror, revisions: Sequence[str], paths: Sequence[bytes]) -> list[str]:
    head = ["rev-list", "--objects", "--no-object-names", "--missing=print"]
    args: list[str | bytes] = [*head, *revisions, "--", *paths]
    with mirror.runner.start(args, at=mirror.path) as (process, watched):
        process.keep_stderr()
        found = [line[1:].decode("ascii").strip() for line in process.stdout if line.startswith(b"?")]
        mirror.runner.judge(process, process.finish(), (0,), watched)
    return found


def _fetch(mirror: Mirror, remote: Remote, oids: Sequence[str], held: Held) -> None:
    """Fetch objects from a remote; leave out what it does not have."""
    wanted = list(oids)
    for _ in range(_REFUSALS):
        try:
            steps = transfer.fetch_objects(mirror.runner, mirror.path, remote, wanted, held.fd)
            for _step in mirror.within_quota(steps):
                pass
        except NotFoundError as error:
            if error.reason != "NO_OBJECT" or error.metadata["oid"] not in wanted:
                raise
            wanted.remove(error.metadata["oid"])
        else:
            return
        if not wanted:
            return
    raise StateError(
        f"{remote.url} does not have contents of files that its own history names",
        remedy="run `git fsck` in it and mend what it names, or fetch all of it with"
        " `lockstep workspace set NAME --no-partial-clone`",
        reason="BAD_OBJECTS",
    )
