"""Bare repositories of a stand-in forge: commits, forks, and the three merge buttons, by real git."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Forge",
    "GIT_AUTHOR_EMAIL": "forge@example.org",
    "GIT_COMMITTER_NAME": "Forge",
    "GIT_COMMITTER_EMAIL": "forge@example.org",
    "HOME": os.devnull,
}


class MergeConflictError(Exception):
    """The merge button would be grey: the branches conflict."""


def git(bare: Path, *arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> str:
    """Run git in a bare repository (or a work tree of it) and give its output without the last newline."""
    where = ["-C", str(cwd)] if cwd else ["--git-dir", str(bare)]
    done = subprocess.run(["git", *where, *arguments], input=stdin, env=_ENVIRONMENT, capture_output=True, check=False)
    if done.returncode:
        message = f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}"
        raise subprocess.SubprocessError(message)
    return done.stdout.decode().removesuffix("\n")


def create(bare: Path, branch: str) -> None:
    """Make an empty bare repository with a default branch."""
    bare.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["git", "init", "--quiet", "--bare", f"--initial-branch={branch}", str(bare)],
        env=_ENVIRONMENT,
        check=True,
        capture_output=True,
    )
    git(bare, "config", "http.receivepack", "true")


def oid_of(bare: Path, branch: str) -> str:
    """Give the commit a branch points at; empty when there is no such branch."""
    return git(bare, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").split("\n")[0]


def commit(bare: Path, branch: str, files: Mapping[str, bytes | None], *, base: str, message: str) -> str:
    """Commit files (None deletes one) on a branch, made from ``base`` where it is new; gives the commit."""
    parent = oid_of(bare, branch) or oid_of(bare, base)
    out = bytearray(f"commit refs/heads/{branch}\n".encode())
    out += b"committer Forge <forge@example.org> now\n"
    out += f"data {len(message.encode())}\n{message}\n".encode()
    if parent:
        out += f"from {parent}\n".encode()
    for path, content in files.items():
        if content is None:
            out += f"D {path}\n".encode()
        else:
            out += f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
    git(bare, "fast-import", "--quiet", "--force", "--date-format=now", stdin=bytes(out))
    return oid_of(bare, branch)


def is_ahead(bare: Path, base: str, head: str) -> bool:
    """Say whether ``head`` has commits that ``base`` lacks."""
    return git(bare, "rev-list", "--count", f"{base}..{head}") != "0"


def take_in(bare: Path, source: Path, branch: str, ref: str) -> None:
    """Fetch a branch of a fork (or of the repository itself) into a ref of the target."""
    git(bare, "fetch", "--quiet", "--no-tags", str(source), f"+refs/heads/{branch}:{ref}")


def merge(bare: Path, base_branch: str, head: str, *, method: str, message: str) -> tuple[str, str]:
    """Press a merge button; gives the base branch's new commit and, for a rebase, the new head.

    ``method`` is "merge", "squash" or "rebase". Raises MergeConflictError.
    """
    base = oid_of(bare, base_branch)
    if method == "rebase":
        new = _rebased(bare, base, head)
    else:
        try:
            tree = git(bare, "merge-tree", "--write-tree", base, head)
        except subprocess.SubprocessError as error:
            raise MergeConflictError(base_branch) from error
        parents = ["-p", base, "-p", head] if method == "merge" else ["-p", base]
        new = git(bare, "commit-tree", tree, *parents, stdin=message.encode())
    git(bare, "update-ref", f"refs/heads/{base_branch}", new, base)
    return new, new if method == "rebase" else head


def _rebased(bare: Path, base: str, head: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git(bare, "worktree", "add", "--quiet", "--detach", str(tree), head)
        try:
            git(bare, "rebase", "--quiet", "--no-ff", base, cwd=tree)
            return git(bare, "rev-parse", "HEAD", cwd=tree)
        except subprocess.SubprocessError as error:
            raise MergeConflictError(base) from error
        finally:
            git(bare, "worktree", "remove", "--force", str(tree))
