"""Moves branches of remotes: only forward, and only from the value the caller expects."""

from collections.abc import Generator

from services.core.errors import AlreadyExistsError, MovedError, StateError
from services.git import transfer
from services.git.failures import GitFailed, unknown_commit
from services.git.making import is_ancestor
from services.git.mirror import Mirror
from services.git.remotes import Remote
from services.git.supplying import supply_reachable
from services.git.transfer import Step


def push(mirror: Mirror, remote: Remote, branch: str, new: str, expected_old: str) -> Generator[Step, None, bool]:
    """Move a branch forward to a commit of the mirror; give whether it moved.

    ``expected_old`` is empty when the branch must not exist. Raises MovedError (reason STALE_REF) when the
    branch has another value, StateError: UNKNOWN_COMMIT, PUSH_REJECTED in the remote's words, or
    NOT_FAST_FORWARD when commits would be taken away from the branch.
    """
    _must_have(mirror, new)
    mirror.healing(lambda: _supply(mirror, remote, new))
    try:
        return (yield from _push(mirror, remote, branch, new, expected_old))
    except GitFailed as failure:
        # What only a damaged mirror had is gone then, and whoever made it makes it again.
        mirror.heal(failure)
    _must_have(mirror, new)
    return (yield from _push(mirror, remote, branch, new, expected_old))


def _push(mirror: Mirror, remote: Remote, branch: str, new: str, expected_old: str) -> Generator[Step, None, bool]:
    with mirror.credentials_checked():
        if expected_old and not _goes_forward(mirror, expected_old, new):
            return _nothing_to_move(mirror, remote, branch, new, expected_old)
        with mirror.writing() as held:
            return (yield from transfer.push(mirror.runner, mirror.path, remote, branch, new, expected_old, held.fd))


def _supply(mirror: Mirror, remote: Remote, new: str) -> None:
    """Get for a partial mirror what it has to send: what is neither in it nor on the remote that is pushed to."""
    if not mirror.partial:
        return
    heads = mirror.remote_refs(remote, ["refs/heads/*"])
    target = heads.get(f"refs/heads/{mirror.address().branch}".encode(), "")
    if target and not mirror.has_commit(target):
        # Nothing of what the branch that it stands on has need be sent, wherever that is now.
        for _ in mirror.fetch():
            pass
    known = list(dict.fromkeys(heads.values()))
    supply_reachable(mirror, new, [info.oid for info in mirror.info(known) if info.kind == "commit"])


def push_now(mirror: Mirror, remote: Remote, branch: str, new: str, expected_old: str) -> bool:
    """Push as ``push`` does, without telling how far it has come."""
    return _drained(push(mirror, remote, branch, new, expected_old))


def create_branch(mirror: Mirror, remote: Remote, branch: str, oid: str) -> bool:
    """Create a branch at a commit; give False when it is there at this very commit.

    Raises AlreadyExistsError when it is there at another one.
    """
    mirror.healing(lambda: mirror.obtain([oid]))
    try:
        return _drained(push(mirror, remote, branch, oid, ""))
    except MovedError as error:
        raise AlreadyExistsError(
            f"the branch {branch!r} of {remote.url} is there already, at another commit",
            remedy="choose another name",
            metadata=error.metadata,
        ) from None


def delete_branch(mirror: Mirror, remote: Remote, branch: str, expected_old: str) -> bool:
    """Delete a branch that still has the expected value; give False when there is none."""
    name = f"refs/heads/{branch}"
    now = mirror.remote_refs(remote, [name]).get(name.encode(), "")
    if not now:
        return False
    if now != expected_old:
        raise _stale(remote, branch, now, expected_old)
    mirror.ensure()
    with mirror.credentials_checked(), mirror.writing() as held:
        return _drained(transfer.push(mirror.runner, mirror.path, remote, branch, "", expected_old, held.fd))


def _must_have(mirror: Mirror, oid: str) -> None:
    mirror.ensure()
    if not mirror.healing(lambda: mirror.has_commit(oid)):
        raise unknown_commit(oid)


def _goes_forward(mirror: Mirror, old: str, new: str) -> bool:
    return mirror.has_commit(old) and is_ancestor(mirror, old, new)


def _nothing_to_move(mirror: Mirror, remote: Remote, branch: str, new: str, expected_old: str) -> bool:
    """Say that the branch is there already, or why it cannot be moved."""
    name = f"refs/heads/{branch}"
    now = mirror.remote_refs(remote, [name]).get(name.encode(), "")
    if now == new:
        return False
    if now != expected_old:
        raise _stale(remote, branch, now, expected_old)
    raise StateError(
        f"{new} does not contain {expected_old}, so the push would take commits away from {branch!r}",
        remedy="make the commit on top of the branch, or merge the branch into it",
        reason="NOT_FAST_FORWARD",
        metadata={"branch": branch, "oid": now},
    )


def _stale(remote: Remote, branch: str, now: str, expected: str) -> MovedError:
    return MovedError(
        f"the branch {branch!r} of {remote.url} is at {now or 'nothing'}, not at {expected or 'nothing'}",
        remedy="fetch and try again",
        reason="STALE_REF",
        metadata={"branch": branch, "oid": now},
    )


def _drained(steps: Generator[Step, None, bool]) -> bool:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return bool(end.value)
