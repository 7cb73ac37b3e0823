# ruff: noqa: ARG002  the signatures are the real client's
"""Plays the git service in memory: commits are folders of files, so that thousands of histories take seconds.

What it answers is what the real one answers; ``test_model.py`` also runs against the real one.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from protos.git.v1 import git_pb2
from services.sync.git_client import Blob, Change, GitClient
from services.sync.store import Scope

MODE = 0o100644
_ALIKE = 0.5
Tree = dict[str, bytes]


def blob_name(data: bytes) -> str:
    """Give the name of a blob."""
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@dataclass
class MemoryGit(GitClient):
    """The git service of any number of workspaces; ``heads`` maps each to its target branch's commit."""

    heads: dict[str, str] = field(default_factory=dict)
    trees: dict[str, Tree] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def commit(self, workspace: str, tree: Tree, *, merge: bool = False) -> str:
        """Make a tree the target branch; give its commit."""
        text = repr((workspace, len(self.trees), sorted(tree.items())))
        oid = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.trees[oid] = dict(tree)
        self.blobs |= {blob_name(data): data for data in tree.values()}
        self.heads[workspace] = oid
        return oid

    def forget(self) -> None:
        """Drop all workspaces."""
        for one in (self.heads, self.trees, self.blobs):
            one.clear()

    def fetch(self, scope: Scope) -> Iterator[git_pb2.FetchResult]:
        """Give the head."""
        yield git_pb2.FetchResult(new_oid=self.heads[scope.workspace_id])

    def status(self, scope: Scope, imported: str) -> git_pb2.GetStatusResponse:
        """Give the head."""
        head = self.heads[scope.workspace_id]
        return git_pb2.GetStatusResponse(remote_oid=head, commits_behind=0 if head == imported else -1)

    def changed_paths(self, scope: Scope, old: str, new: str, folders: Iterable[str]) -> Iterator[Change]:
        """Compare two trees, and pair what went with what came, as ``git diff-tree -M`` does."""
        inside = tuple(f"{folder}/" for folder in folders) or ("",)
        before = {p: d for p, d in self.trees.get(old, {}).items() if p.startswith(inside)}
        after = {p: d for p, d in self.trees[new].items() if p.startswith(inside)}
        pairs = _renames(before, after) if old else {}
        for path in sorted((before.keys() | after.keys()) - set(pairs.values())):
            if path in pairs:
                source = pairs[path]
                yield _change("R", path, after[path], source)
            elif path not in before:
                yield _change("A", path, after[path])
            elif path not in after:
                yield _change("D", path, None)
            elif before[path] != after[path]:
                yield _change("M", path, after[path])

    def read_blobs(self, scope: Scope, oids: Iterable[str]) -> Iterator[Blob]:
        """Give blobs in the order asked for."""
        for oid in oids:
            data = self.blobs[oid]
            yield Blob(len(data), data)


def _renames(before: Tree, after: Tree) -> dict[str, str]:
    gone = [path for path in sorted(before) if path not in after]
    pairs: dict[str, str] = {}
    for new in (path for path in sorted(after) if path not in before):
        scores = [(_alike(before[old], after[new]), old) for old in gone]
        best = max(scores, default=(0.0, ""))
        if best[0] > _ALIKE:
            pairs[new] = best[1]
            gone.remove(best[1])
    return pairs


def _alike(one: bytes, other: bytes) -> float:
    if one == other:
        return 2.0
    return SequenceMatcher(None, one.splitlines(), other.splitlines(), autojunk=False).ratio()


def _change(status: str, path: str, new: bytes | None, source: str = "") -> Change:
    blob, mode = ("", 0) if new is None else (blob_name(new), MODE)
    return Change(status, path.encode(), blob, mode, source.encode())
