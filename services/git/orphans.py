"""Sees to it that no git outlives the service, not even when the service is killed by SIGKILL.

A small shell process reads from a pipe which process groups are at work. When the pipe closes it ends those
that still are: SIGTERM first, so that git removes its lock files, then SIGKILL. (PR_SET_PDEATHSIG would end
git with the thread that started it, and reaches neither helpers nor other systems than Linux.)
"""

import contextlib
import subprocess
import threading
from typing import Final

_SCRIPT: Final = """\
trap '' INT TERM HUP
groups=' '
while read -r sign group; do
    case "$sign$groups" in
        +*) groups="$groups$group " ;;
        *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
for group in $groups; do kill -s TERM -- "-$group"; done
[ "$groups" = ' ' ] || sleep 2
for group in $groups; do kill -s KILL -- "-$group"; done
"""


class Orphanage:
    """Knows the process groups of one service. Safe for many threads."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def enter(self, group: int) -> None:
        """Have a process group ended when this process dies."""
        self._say("+", group)

    def leave(self, group: int) -> None:
        """Forget a process group that has ended: its number may soon be somebody else's."""
        self._say("-", group)

    def close(self) -> None:
        """End whatever is still at work, and the shell."""
        with self._guard:
            self._closed = True
            process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
            process.wait()

    def _say(self, sign: str, group: int) -> None:
        with self._guard:
            if self._closed:
                return
            # Where somebody ended it, what was said to it is lost; what comes is not.
            if self._process is None or self._process.poll() is not None:
                self._process = _start()
            pipe = self._process.stdin
            with contextlib.suppress(BrokenPipeError):
                if pipe:
                    pipe.write(f"{sign} {group}\n".encode("ascii"))


def _start() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603  a constant
        ["/bin/sh", "-c", _SCRIPT],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        start_new_session=True,
    )
