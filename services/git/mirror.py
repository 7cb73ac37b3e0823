"""Bare mirrors of remotes: made when first needed, brought up to date, rebuilt when damaged.

A mirror is a cache. It is cloned into a folder beside its place and renamed, so that a half-made one is
never seen; the target branch is at ``refs/remotes/target/<branch>``; what Lockstep made itself is kept at
``refs/lockstep/``. Its configuration holds neither credentials nor addresses.
"""

import contextlib
import functools
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar, cast

import structlog

from services.core.errors import LockstepError, NotFoundError, StateError, UnavailableError
from services.git import commits, names, partial, transfer, upkeep
from services.git.failures import GitFailed, at_remote, local_error, lost, remote_broken, unknown_commit, unreadable
from services.git.locks import Held, WriterLocks
from services.git.objects import Info, ObjectPool
from services.git.ports import RemoteAddress, Workspaces
from services.git.quota import Quota, size_of
from services.git.remotes import Remote, push_of, target_of
from services.git.runner import Runner
from services.git.signing import signature
from services.git.ssh_keys import SshKey
from services.git.transfer import Step

_T = TypeVar("_T")

log = structlog.get_logger(__name__)

TARGET: Final = "refs/remotes/target/"
SEEN: Final = "refs/lockstep/seen/"
_RECHECK_SECONDS: Final = 60.0
# How often a clone is held against the quota.
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Fetched:
    """Where the target branch was and is; ``old`` is empty when the mirror has just been made."""

    old: str
    new: str
    cloned: bool


@dataclass(frozen=True)
class Parts:
    """What mirrors are worked with; one of each in a service.

    ``suspects`` are looked at by the next fetch; ``checked`` is when a mirror was last looked at,
    ``rebuilt`` when a reader had it made anew, both monotonic.
    """

    root: Path
    runner: Runner
    pool: ObjectPool
    locks: WriterLocks
    workspaces: Workspaces
    suspects: set[Path] = field(default_factory=set)
    checked: dict[Path, float] = field(default_factory=dict)
    rebuilt: dict[Path, float] = field(default_factory=dict)
    quota: Quota | None = None
    # Set when housekeeping should not wait for its next round.
    wanted: threading.Event = field(default_factory=threading.Event)


class Mirror:
    """The mirror of one workspace. Light: made for each call."""

    def __init__(self, parts: Parts, tenant_id: str, workspace_id: str) -> None:
        """Take the ids; raise InvalidInputError when one could not be a folder's name."""
        names.identifier(tenant_id, "tenant_id")
        names.identifier(workspace_id, "workspace_id")
        self._parts = parts
        self._ids = (tenant_id, workspace_id)
        self._lock_file = parts.root / tenant_id / f"{workspace_id}.lock"
        self.path = parts.root / tenant_id / f"{workspace_id}.git"
        self._seen = 0
        self.root = parts.root
        self.runner = parts.runner
        self.pool = parts.pool

    def address(self) -> RemoteAddress:
        """Give the workspace's remotes; raise NotFoundError when the caller's tenant has no such workspace."""
        address = self._parts.workspaces.resolve(*self._ids)
        names.branch(address.branch)
        return address

    def target(self) -> Remote:
        """Give the remote that is imported from."""
        return target_of(self.address(), self.runner.policy)

    def push_remote(self) -> Remote:
        """Give the remote that is pushed to."""
        return push_of(self.address(), self.runner.policy)

    def signer(self) -> commits.Sign | None:
        """Give what signs the workspace's commits; None when it has no key for that."""
        key = self.address().signing_key
        return functools.partial(signature, SshKey(key)) if key else None

    def remotes(self) -> list[Remote]:
        """Give the workspace's remotes, the target first."""
        address = self.address()
        judged = (target_of(address, self.runner.policy), push_of(address, self.runner.policy))
        return list({remote.url: remote for remote in judged}.values())

    @property
    def partial(self) -> bool:
        """Say whether contents of files may be missing here, which the remote has."""
        return partial.is_partial(self.path)

    def promising(self) -> Remote | None:
        """Give what git asks for contents that are missing here; None where the mirror is whole."""
        return partial.promising(self.target()) if self.partial else None

    def exists(self) -> bool:
        """Say whether there is a mirror."""
        return (self.path / "HEAD").is_file()

    def ref(self, name: str) -> str:
        """Give the value of a ref of the mirror; empty when there is none."""
        with contextlib.suppress(OSError, UnicodeError):
            value = (self.path / name).read_text(encoding="ascii").strip()
            if len(value) == len(names.EMPTY_TREE):
                return value
        done = self.runner.run(
            ["rev-parse", "--verify", "--quiet", "--end-of-options", name], at=self.path, good=(0, 1)
        )
        return done.stdout.decode("ascii", "replace").strip()

    def info(self, oids: Sequence[str]) -> list[Info]:
        """Give what the mirror knows of objects."""
        with self.pool.lease(self.path) as reader:
            return list(reader.info(oids))

    def tree_of(self, commit: str) -> str:
        """Give the tree of a commit that the mirror has."""
        with self.pool.lease(self.path) as reader:
            ((_, data),) = reader.contents([commit])
            return commits.read(commit, data).tree

    def has_commit(self, oid: str) -> bool:
        """Say whether the mirror has a commit."""
        return self.info([oid])[0].kind == "commit"

    def ask(self, work: Callable[[Remote], _T]) -> _T:
        """Speak to the target as ``at_remote`` does for any remote."""
        return self.at_remote(self.target(), work)

    def at_remote(self, remote: Remote, work: Callable[[Remote], _T]) -> _T:
        """Speak to a remote; a refused token is asked for anew the next time."""
        with self.credentials_checked():
            return work(remote)

    @contextmanager
    def credentials_checked(self) -> Iterator[None]:
        """Forget the remembered token when a remote refuses it."""
        try:
            yield
        except StateError as error:
            if error.reason == "REMOTE_AUTH":
                self._parts.workspaces.forget(*self._ids)
            raise

    def remote_head(self) -> str:
        """Ask the target remote for the head of the target branch, now."""
        branch = self.address().branch
        return self.ask(lambda remote: transfer.head(self.runner, self._parts.root, remote, branch))

    def remote_refs(self, remote: Remote, patterns: Sequence[str]) -> dict[bytes, str]:
        """Ask a remote for refs, now."""
        return self.at_remote(remote, lambda r: transfer.refs(self.runner, self._parts.root, r, patterns))

    def fetch(self) -> Generator[Step, None, Fetched]:
        """Bring the mirror up to date with its target branch; nothing is fetched when it is already."""
        with self.credentials_checked():
            branch = self.address().branch
            if self.exists() and self._as_asked() and self.path not in self._parts.suspects:
                head = self.remote_head()
                if self._stands_at(branch, head):
                    self._used()
                    return Fetched(head, head, cloned=False)
            with self.writing() as held:
                return (yield from self._fetch(branch, held))

    def ensure(self) -> None:
        """Make the mirror when it is missing."""
        if not self.exists():
            for _ in self.fetch():
                pass
        self._used()
        self._seen = self._inode()

    def healing(self, work: Callable[[], _T]) -> _T:
        """Do something that reads or writes the mirror; rebuild the mirror and do it again where it is damaged."""
        self.ensure()
        try:
            return work()
        except GitFailed as failure:
            self.heal(failure)
        try:
            return work()
        except GitFailed as failure:
            raise unreadable(failure) from None

    def healing_stream(self, work: Callable[[], Iterator[_T]]) -> Iterator[_T]:
        """Give what reading the mirror gives; do it again on a rebuilt one where it fails before it gave anything.

        What is read must have been found in the mirror before: not to know it any more is damage.
        """
        self.ensure()
        sent = False
        try:
            for item in work():
                sent = True
                yield item
        except GitFailed as failure:
            if sent:
                raise local_error(failure) from None
            self.heal(lost(failure) if failure.unknown_object else failure)
        else:
            return
        try:
            yield from work()
        except GitFailed as failure:
            raise unreadable(failure) from None

    def heal(self, failure: GitFailed) -> None:
        """Rebuild the mirror when a failure shows damage; raise what the failure means otherwise.

        Nothing is done when somebody else has rebuilt it since ``ensure``. What looks damaged again soon after a
        rebuild is the repository's own fault (StateError, reason BAD_OBJECTS): it is not cloned over and over.
        """
        if failure.unkept_promise:
            raise at_remote(failure, self.target().url)
        error = local_error(failure)
        if error is not failure or failure.unknown_object or not failure.damaged:
            raise error
        with self.credentials_checked(), self.writing() as held:
            if self._inode() == self._seen or not self.exists():
                now = time.monotonic()
                if self.exists() and now - self._parts.rebuilt.get(self.path, -_RECHECK_SECONDS) < _RECHECK_SECONDS:
                    self.suspect()
                    raise unreadable(failure)
                self._parts.rebuilt[self.path] = now
                for _ in self._clone(self.address().branch, held):
                    pass
            self._seen = self._inode()

    def lacks_objects(self) -> bool:
        """Say whether objects are missing that refs of the mirror reach.

        It costs as much as the mirror has objects, so it is looked into once a minute at most; in between
        the answer is no, and the next fetch looks.
        """
        now = time.monotonic()
        if now - self._parts.checked.get(self.path, -_RECHECK_SECONDS) < _RECHECK_SECONDS:
            self.suspect()
            return False
        self._parts.checked[self.path] = now
        return not self._connected()

    def suspect(self) -> None:
        """Have the next fetch look for damage first."""
        self._parts.suspects.add(self.path)

    def obtain(self, oids: Sequence[str]) -> None:
        """Make sure that commits are in the mirror: fetch once when one is missing.

        A commit that somebody pushed to another branch of either remote is found by its name. Raises
        StateError (reason UNKNOWN_COMMIT) for one that is nowhere.
        """
        missing = [oid for oid in oids if not self.has_commit(oid)]
        if not missing:
            return
        for _ in self.fetch():
            pass
        for oid in [oid for oid in missing if not self.has_commit(oid)]:
            self._fetch_by_name(oid)

    @contextmanager
    def writing(self, wait: float | None = None, gives_way: threading.Event | None = None) -> Iterator[Held]:
        """Hold the workspace's writer lock, with nothing left over from a writer that died.

        ``wait`` and ``gives_way`` are as in ``WriterLocks.hold``.
        """
        with self._parts.locks.hold(self._lock_file, wait, gives_way) as held:
            if held.unclean:
                upkeep.sweep(self.path)
            yield held
        if upkeep.count_packs(self.path) > upkeep.MANY_PACKS:
            self._parts.wanted.set()

    def transfer(self, remote: Remote, specs: Sequence[str | bytes], held: Held) -> Generator[Step, None, bool]:
        """Fetch refspecs from a remote into the mirror, in the way that it was made."""
        return transfer.fetch(self.runner, self.path, remote, specs, held.fd, filtered=self.partial)

    def within_quota(self, steps: Generator[Step, None, _T], going: int = 0) -> Generator[Step, None, _T]:
        """Give the steps of a transfer and what it gives; end it when the tenant's mirrors become too large."""
        looked = time.monotonic()
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                return cast("_T", end.value)
            if time.monotonic() - looked > _LOOK_SECONDS:
                looked = time.monotonic()
                self.check_room(going)
            yield step

    def drop(self) -> None:
        """Remove the mirror, and with it what is remembered of the workspace's remotes."""
        self._parts.workspaces.forget(*self._ids)
        if not self._lock_file.exists():
            return
        with self.writing():
            self.remove()

    def used_at(self) -> float:
        """Give when somebody used the mirror last, seconds since the epoch; 0 when there is none."""
        with contextlib.suppress(OSError):
            return (self.path / "HEAD").stat().st_mtime
        return 0.0

    def check_room(self, going: int = 0) -> None:
        """Raise BusyError (reason QUOTA) when the tenant's mirrors may not grow; ``going`` bytes do not count."""
        if self._parts.quota:
            self._parts.quota.check(self._ids[0], going)

    def _used(self) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.path / "HEAD")

    def _inode(self) -> int:
        with contextlib.suppress(OSError):
            return self.path.stat().st_ino
        return 0

    def _stands_at(self, branch: str, head: str) -> bool:
        return self.ref(TARGET + branch) == head and self.has_commit(head)

    def _fetch(self, branch: str, held: Held) -> Generator[Step, None, Fetched]:
        if not self.exists() or not self._as_asked() or not self._sound():
            return (yield from self._clone(branch, held))
        self.check_room()
        old = self.ref(TARGET + branch)
        if not old:
            self._drop_other_branches()
        spec = f"+refs/heads/{branch}:{TARGET}{branch}"
        try:
            yield from self.transfer(self.target(), [spec], held)
        except GitFailed as failure:
            if not failure.damaged:
                raise
            return (yield from self._clone(branch, held))
        new = self.ref(TARGET + branch)
        if not new or not self.has_commit(new) or (old and not self.has_commit(old)):
            return (yield from self._clone(branch, held))
        return Fetched(old, new, cloned=False)

    def _clone(self, branch: str, held: Held) -> Generator[Step, None, Fetched]:
        place = self.path.with_name(f"{self.path.name}.tmp-{secrets.token_hex(8)}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(mode=0o700)
        try:
            self.runner.run(["init", "--quiet", "--bare", "--template=", "--initial-branch=main"], at=place)
            (place / "config").write_text(upkeep.CONFIG, encoding="ascii")
            spec = f"+refs/heads/{branch}:{TARGET}{branch}"
            going = size_of(self.path)
            self.check_room(going)
            wanted = self.address().partial_clone
            fetching = transfer.fetch(self.runner, place, self.target(), [spec], held.fd, filtered=wanted)
            with contextlib.closing(fetching) as steps:
                filtered = yield from self.within_quota(steps, going)
            if wanted:
                self._mark(place, filtered=filtered)
            self.check_room(going)
            self.remove()
            place.rename(self.path)
        except NotFoundError as error:
            if error.reason == "NO_BRANCH":
                self.remote_head()
            raise
        except GitFailed as failure:
            # There was nothing of ours yet that could be damaged.
            local = local_error(failure)
            raise (remote_broken(failure, self.target().url) if local is failure else local) from None
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return Fetched("", self.ref(TARGET + branch), cloned=True)

    def _mark(self, place: Path, *, filtered: bool) -> None:
        partial.mark(place, filtered=filtered)
        if not filtered:
            log.warning("the remote offers no partial clone, all of it was fetched", url=self.target().url)

    def _as_asked(self) -> bool:
        """Say whether the mirror was made as the workspace is set now: partial, or whole."""
        return partial.was_asked_for(self.path) == self.address().partial_clone

    def _sound(self) -> bool:
        """Look for damage where something was missing before."""
        if self.path not in self._parts.suspects:
            return True
        self._parts.suspects.discard(self.path)
        return self._connected()

    def _connected(self) -> bool:
        args = ["fsck", "--connectivity-only", "--no-dangling", "--no-progress"]
        promise = partial.PROMISE if self.partial else None
        return self.runner.run(args, at=self.path, remote=promise, good=range(256)).code == 0

    def _fetch_by_name(self, oid: str) -> None:
        self.check_room()
        with self.writing() as held:
            for remote in reversed(self.remotes()):
                try:
                    for _ in self.transfer(remote, [f"{oid}:{SEEN}{oid}"], held):
                        pass
                except UnavailableError:
                    raise
                except LockstepError:
                    continue
                if self.has_commit(oid):
                    return
        raise unknown_commit(oid)

    def _drop_other_branches(self) -> None:
        """Remove refs of a target branch that is no longer one: ``a`` would stand in the way of ``a/b``."""
        listed = self.runner.run(["for-each-ref", "--format=%(refname)", TARGET], at=self.path).stdout.decode()
        for name in listed.splitlines():
            self.runner.run(["update-ref", "-d", "--end-of-options", name], at=self.path)

    def remove(self) -> None:
        """Take the mirror away at once, and delete it then; for who holds the writer lock."""
        self._parts.pool.evict(self.path)
        self._parts.suspects.discard(self.path)
        if self.path.exists():
            gone = self.path.with_name(f"{self.path.name}.tmp-{secrets.token_hex(8)}")
            self.path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
