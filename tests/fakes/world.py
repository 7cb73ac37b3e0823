"""The outside of the pr service in memory: a repository, a records database, an address book.

The fakes are real gRPC servicers over one ``World``; they implement the few calls that pr makes.
"""

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

Tree = dict[bytes, bytes]


@dataclass(frozen=True)
class Commit:
    parents: tuple[str, ...]
    tree: tuple[tuple[bytes, bytes], ...]
    message: str
    author: str


@dataclass
class Record:
    key: int
    record_id: str
    path: bytes
    content: bytes
    title: str = ""
    date: str = ""
    create: bool = False
    delete: bool = False
    old_path: bytes = b""
    author: tuple[str, str] = ("Ada", "ada@example.org")


@dataclass
class World:
    """One repository with branches, and the records that are pending for it."""

    commits: dict[str, Commit] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    mirror: set[str] = field(default_factory=set)
    kept: dict[str, str] = field(default_factory=dict)
    pending: dict[str, Record] = field(default_factory=dict)
    reserved: dict[str, tuple[str, list[Record]]] = field(default_factory=dict)
    merged: dict[tuple[str, int], int] = field(default_factory=dict)
    imported: str = ""
    forge: int = 1
    token: str = ""
    signing_key: str = ""
    failures: dict[str, list[Exception]] = field(default_factory=dict)
    happenings: dict[str, Callable[[], object]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def start(cls, files: Tree) -> "World":
        """Give a world whose branch main holds the files, imported."""
        world = cls()
        world.branches["main"] = world.imported = world.add(Commit((), tuple(sorted(files.items())), "first", ""))
        return world

    def add(self, commit: Commit) -> str:
        """Store a commit; the same commit has the same name."""
        oid = hashlib.sha1(repr(commit).encode(), usedforsecurity=False).hexdigest()
        with self.lock:
            self.commits[oid] = commit
            self.mirror.add(oid)
        return oid

    def tree(self, oid: str) -> Tree:
        """Give the files of a commit."""
        return dict(self.commits[oid].tree)

    def main(self) -> Tree:
        """Give the files of the target branch."""
        return self.tree(self.branches["main"])

    def commit_to(self, branch: str, files: Tree, message: str = "by hand") -> str:
        """Add a commit with some files changed, as somebody else would."""
        head = self.branches[branch]
        tree = {**self.tree(head), **files}
        self.branches[branch] = oid = self.add(Commit((head,), tuple(sorted(tree.items())), message, "someone"))
        return oid

    def edit(self, record_id: str, content: bytes, **more: object) -> None:
        """Make a record pending."""
        path = f"{record_id}.json".encode()
        record = Record(len(self.pending) + 1, record_id, path, content, title=record_id.title())
        for name, value in more.items():
            setattr(record, name, value)
        self.pending[record_id] = record

    def holds(self, oid: str, ancestor: str) -> bool:
        """Say whether a commit is, or stands on, another."""
        return oid == ancestor or any(self.holds(parent, ancestor) for parent in self.commits[oid].parents)

    def fail(self, call: str, *errors: Exception) -> None:
        """Let the next calls of a method fail, one for each error."""
        self.failures.setdefault(call, []).extend(errors)

    def during(self, call: str, happens: Callable[[], object]) -> None:
        """Let something happen elsewhere while the next call of a method goes on."""
        self.happenings[call] = happens

    def base(self, ours: str, theirs: str) -> str:
        """Give the newest commit on the first-parent line of theirs that ours holds."""
        while not self.holds(ours, theirs):
            theirs = self.commits[theirs].parents[0]
        return theirs

    def enter(self, call: str) -> None:
        """Count a call, and fail where that was ordered."""
        with self.lock:
            self.calls[call] += 1
            ordered = self.failures.get(call)
            if ordered:
                raise ordered.pop(0)
            self.happenings.pop(call, int)()
