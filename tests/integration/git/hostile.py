"""What attackers send, and how to tell that nothing came of it."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from services.core import errors
from services.git.objects import IN_ALL
from tests.integration.git.test_remotes import descendants

MARKER = "lockstep-attack-marker"
STRINGS = [
    "",
    "-",
    "--",
    "--help",
    "--end-of-options",
    f"--output={MARKER}",
    f"--upload-pack=touch {MARKER}",
    f"--receive-pack=touch {MARKER}",
    f"-c core.pager=touch {MARKER}",
    f"--exec=touch {MARKER}",
    f"ext::sh -c 'touch {MARKER}'",
    f"$(touch {MARKER})",
    f"`touch {MARKER}`",
    f"; touch {MARKER}",
    f"| touch {MARKER}",
    "../../../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    ".git",
    ".git/config",
    ".GIT/hooks/pre-push",
    "git~1",
    "refs/heads/main",
    "refs/../HEAD",
    "HEAD",
    "@",
    "@{-1}",
    "main^{/x}",
    "main..other",
    "^main",
    ":(exclude)x",
    ":/",
    "a" * 300,
    "a" * 5000,
    "a/" * 3000 + "a",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "a'b\"c",
    "a\\b",
    "\x7f",
    "\x1b[2J",
    "\u202egnp.exe",
    "\u200c.git",
    "\U0001f980",
    "%s%n%x",
    "a.lock",
    "0" * 40,
    "f" * 40,
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "main",
    "records/r1.json",
]
BYTES = [text.encode() for text in STRINGS] + [b"\xff\xfe", b"\0", b"a\0b", b"a\xc0\xafb", b"\xed\xa0\x80", b"a" * 300]


def outcome(call: Callable[[], object]) -> str:
    """Make a call; give the kind of its error or nothing. An error that nobody foresaw fails the test."""
    try:
        answer = call()
        if isinstance(answer, Iterable):
            for _ in answer:
                pass
    except errors.LockstepError as error:
        return foreseen(error)
    return ""


def foreseen(error: errors.LockstepError) -> str:
    """Give the kind of an error; fail the test for the base class, which INTERNAL and UNKNOWN arrive as."""
    assert type(error) is not errors.LockstepError, f"{error.reason}: {error}"
    return type(error).__name__


def files_outside(root: Path, but: Path) -> set[str]:
    """Give all paths below a folder that are not below another."""
    found = set()
    for parent, folders, names in os.walk(root):
        if Path(parent) == but:
            folders.clear()
            continue
        found |= {str(Path(parent, name)) for name in [*folders, *names]}
    return found


def working_gits() -> list[bytes]:
    """Give the command lines of gits below this process, but for the few that are kept to be asked again."""
    lines = [line for line in descendants().values() if line.startswith(b"git\0") or b"/git" in line.split(b"\0")[0]]
    kept = [line for line in lines if b"\0cat-file\0" in line or b"\0diff-tree\0--stdin\0" in line]
    assert len(kept) <= IN_ALL
    return [line for line in lines if line not in kept]


def zombies() -> list[int]:
    """Give the children of this process that nobody has waited for."""
    return [pid for pid, line in descendants().items() if not line and _is_zombie(pid)]


def _is_zombie(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] == "Z"
