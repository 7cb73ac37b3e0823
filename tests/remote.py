"""A bare repository that plays the remote, changed by plumbing as its owners would change it."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Ada Example",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada Example",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


@dataclass(frozen=True)
class Remote:
    """One bare repository with a branch main."""

    path: Path

    @classmethod
    def create(cls, path: Path, files: Mapping[str, bytes | str] | None = None) -> "Remote":
        """Make an empty repository; with files, one commit on main."""
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
        remote = cls(path)
        if files is not None:
            remote.commit(files)
        return remote

    @property
    def url(self) -> str:
        """Give its address."""
        return f"file://{self.path}"

    def git(self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run git in the repository; give what it printed."""
        command = ["git", "-C", str(self.path), "-c", "core.quotePath=false", *arguments]
        environ = {**os.environ, **ENVIRONMENT, **(env or {})}
        done = subprocess.run(command, input=stdin, capture_output=True, env=environ, check=True)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def head(self, branch: str = "main") -> str:
        """Give the commit of a branch; empty when there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def commit(
        self,
        changes: Mapping[str, bytes | str | None],
        *,
        branch: str = "main",
        message: str = "Change",
        onto: str | None = None,
        mode: str = "100644",
    ) -> str:
        """Commit changes to a branch (None deletes a file); give the commit. ``onto`` rewrites the branch."""
        parent = self.head(branch) if onto is None else onto
        index = {"GIT_INDEX_FILE": str(self.path / "test-index")}
        self.git("read-tree", parent or "--empty", env=index)
        lines = []
        for path, content in changes.items():
            if content is None:
                lines.append(f"0 {'0' * 40}\t{path}")
                continue
            raw = content.encode() if isinstance(content, str) else content
            blob = self.git("hash-object", "-w", "--stdin", stdin=raw)
            lines.append(f"{mode} {blob}\t{path}")
        text = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
        self.git("update-index", "-z", "--index-info", stdin=text, env=index)
        tree = self.git("write-tree", env=index)
        parents = ["-p", parent] if parent else []
        commit = self.git("commit-tree", tree, *parents, "-m", message)
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def files(self, revision: str = "main") -> list[str]:
        """Give the paths of a commit."""
        return [path for path in self.git("ls-tree", "-r", "-z", "--name-only", revision).split("\0") if path]

    def read(self, path: str, revision: str = "main") -> bytes:
        """Give a file of a commit."""
        command = ["git", "-C", str(self.path), "cat-file", "blob", f"{revision}:{path}"]
        return subprocess.run(command, capture_output=True, check=True).stdout
