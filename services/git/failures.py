"""What git's words mean: from its exit code and standard error to a domain error.

Git has no stable error codes; these are the C-locale messages of git 2.39 and later, matched in the
order below. The remote's own words ("remote: …") never decide, except for a missing repository.
"""

import re
from collections.abc import Callable
from typing import Final

from services.core.errors import (
    LockstepError,
    NotFoundError,
    StateError,
    TimeoutExceededError,
    UnavailableError,
)
from services.git.ssh_address import is_ssh

SIGN_IN_REMEDY: Final = "store a token with `lockstep workspace set NAME --token-stdin`"
SSH_KEY_REMEDY: Final = "store one with `lockstep workspace set NAME --ssh-key-stdin --known-hosts FILE`"

_DISK: Final = re.compile(r"No space left on device|Disk quota exceeded|write error: Disk")
_DAMAGED: Final = re.compile(
    r"missing blob|missing tree|missing commit|missing necessary objects|unable to read tree"
    r"|unable to read [0-9a-f]{40}"
    r"|is corrupt|loose object|inflate:|packfile .* (cannot|does|is)|bad object HEAD|bad tree object"
    r"|not a git repository|bad (index|pack) |index file|unable to parse commit|failed to read object"
    r"|Could not read [0-9a-f]{40}"
    r"|bad (numeric |boolean )?config|unknown repository (extension|format)|Expected git repo version"
    r"|unexpected line in|unterminated line in|packed-refs|invalid sha1 pointer|bad signature|unknown index"
    r"|broken (ref|HEAD)|bad ref for|refusing to work with bad|garbage at end|did not send all necessary",
)
_UNKNOWN_OBJECT: Final = re.compile(
    r"bad object [0-9a-f]{40}|bad revision|Not a valid object name|unknown revision|invalid object name"
    r"|not something we can merge|does not refer to a commit|src refspec .* does not match any",
)
_BAD_OBJECTS: Final = re.compile(
    r"fsck error|fsckObjects|error in (tree|commit|blob|tag) [0-9a-f]+:|error: object [0-9a-f]{40}:"
)
_OWNER: Final = re.compile(r"dubious ownership")
_NO_SSH: Final = re.compile(r"\bssh: (command )?not found|cannot run ssh")
_NO_USER: Final = re.compile(r"No user exists for uid")
_HOST_KEY: Final = re.compile(r"Host key verification failed|host key is known for .* strict checking")
_AUTH: Final = re.compile(
    r"Authentication failed|could not read (Username|Password)|returned error: (401|403)|HTTP (401|403)"
    r"|Permission denied|terminal prompts disabled|access denied|not allowed to (push|upload)",
)
_NO_REPOSITORY: Final = re.compile(
    r"repository '[^']*' (not found|does not exist)|[Rr]epository not found|returned error: (404|410)"
    r"|does not appear to be a git repository|not valid: is this a git repository"
    r"|remote: The project you were looking for could not be found",
)
_REDIRECT: Final = re.compile(r"unable to update url base from redirection|redirect|returned error: 30\d")
_PROTOCOL: Final = re.compile(r"transport '[^']*' not allowed|[Uu]nsupported protocol|Unable to find remote helper")
_REMOTE_DOWN: Final = re.compile(r"returned error: (429|5\d\d)|HTTP (429|5\d\d)")
_NO_NETWORK: Final = re.compile(
    r"Could not resolve (host|proxy)|Failed to connect|Connection (refused|reset|timed out)|Network is unreachable"
    r"|No route to host|Operation too slow|Operation timed out|Empty reply|unable to access|early EOF"
    r"|RPC failed|hung up unexpectedly|remote end hung up|SSL|TLS|certificate|unexpected disconnect|transfer closed"
    r"|Connection closed by|Host is down|Could not read from remote repository|kex_exchange_identification"
    r"|the remote end|expected flush|invalid server response|bad line length|protocol error",
)
_NO_BRANCH: Final = re.compile(r"couldn't find remote ref|Remote branch .* not found")


_NOT_OURS: Final = re.compile(r"not our ref ([0-9a-f]{40})")
_NO_NAMES: Final = re.compile(r"Server does not allow request for unadvertised object")
_PROMISED: Final = re.compile(r"from promisor remote")
_LACKS_OBJECTS: Final = re.compile(r"Unable to find [0-9a-f]{40} under|Cannot obtain needed")
_AUTH_STATUS: Final = re.compile(r"returned error: 40[13]")


def _refused(url: str) -> StateError:
    if is_ssh(url):
        return StateError(f"{url} refuses the workspace's SSH key", remedy=SSH_KEY_REMEDY, reason="REMOTE_AUTH")
    return StateError(f"{url} refuses the token, or wants one", remedy=SIGN_IN_REMEDY, reason="REMOTE_AUTH")


_MEANINGS: Final[tuple[tuple[re.Pattern[str], Callable[[str], LockstepError]], ...]] = (
    (
        _OWNER,
        lambda url: StateError(
            f"the repository {url} belongs to another user of this machine",
            remedy="let Lockstep run as the user that owns it",
            reason="REMOTE_OWNER",
        ),
    ),
    (
        _NO_SSH,
        lambda url: StateError(
            f"{url} is reached over ssh, which is not installed",
            remedy="install OpenSSH's client where the git service runs, or use the https address",
            reason="NO_SSH",
        ),
    ),
    (
        _NO_USER,
        lambda url: StateError(
            f"{url} is reached over ssh, which wants to know the user that the git service runs as",
            remedy="run it as a user who is in /etc/passwd",
            reason="NO_USER",
        ),
    ),
    (
        _HOST_KEY,
        lambda url: StateError(
            f"the host of {url} shows a key that is not among the workspace's host keys",
            remedy="compare it with what the host publishes, then store it with `lockstep workspace set NAME"
            " --known-hosts FILE`",
            reason="HOST_KEY",
        ),
    ),
    (_AUTH, _refused),
    (
        _PROTOCOL,
        lambda url: StateError(
            f"git may not speak to {url}",
            remedy="use the https address",
            reason="BAD_REMOTE",
        ),
    ),
    (
        _REDIRECT,
        lambda url: StateError(
            f"{url} redirects to another address",
            remedy="set the repository's present address",
            reason="REDIRECTED",
        ),
    ),
    (
        _BAD_OBJECTS,
        lambda url: StateError(
            f"{url} holds objects that git's checks refuse",
            remedy="run `git fsck --strict` in a clone of it and mend what it names",
            reason="BAD_OBJECTS",
        ),
    ),
    (
        _LACKS_OBJECTS,
        lambda url: StateError(
            f"{url} does not hold all objects of its own history",
            remedy="run `git fsck` in it and mend what it names",
            reason="BAD_OBJECTS",
        ),
    ),
    (_NO_BRANCH, lambda url: NotFoundError(f"a ref that was asked for is not in {url}", reason="NO_BRANCH")),
    (
        _REMOTE_DOWN,
        lambda url: UnavailableError(
            f"{url} does not serve requests now",
            remedy="try again later",
            reason="REMOTE_DOWN",
        ),
    ),
    (
        _NO_NETWORK,
        lambda url: UnavailableError(
            f"{url} cannot be reached",
            remedy="check the address and the network, then try again",
            reason="NO_NETWORK",
        ),
    ),
)


class GitFailed(LockstepError):  # noqa: N818  it names what happened, as the errors of git do
    """Git ended with an error that nobody has explained yet. ``said`` is scrubbed."""

    reason = "GIT_FAILED"

    def __init__(self, command: str, code: int, said: str, *, overdue: bool = False, swollen: bool = False) -> None:
        """Take git's command, exit code (negative: the signal that ended it) and standard error."""
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "it gave no reason")
        how = f"was ended by signal {-code}" if code < 0 else f"failed with code {code}"
        super().__init__(f"git {command} {how}: {last[:300]}", remedy="the service's log has the details")
        self.command = command
        self.code = code
        self.said = said
        self.overdue = overdue
        self.swollen = swollen

    @property
    def damaged(self) -> bool:
        """Say whether the mirror itself seems to be broken."""
        return bool(_DAMAGED.search(self.said)) and not _DISK.search(self.said)

    @property
    def unkept_promise(self) -> bool:
        """Say whether the remote did not give what a partial mirror lacks."""
        return bool(_PROMISED.search(self.said))

    @property
    def unknown_object(self) -> bool:
        """Say whether git was asked for an object that the mirror does not have."""
        return bool(_UNKNOWN_OBJECT.search(self.said))


def at_remote(failure: GitFailed, url: str) -> LockstepError:
    """Give the domain error of a git that spoke to a remote."""
    if failure.swollen:
        return too_many_refs(url)
    local = local_error(failure)
    if local is not failure:
        return local
    own = "\n".join(line for line in failure.said.splitlines() if not line.startswith("remote:"))
    if _NO_REPOSITORY.search(failure.said) and not _AUTH_STATUS.search(own):
        return no_repository(url)
    if not own.strip():
        return UnavailableError(
            f"git {failure.command} with {url} ended without a word",
            remedy="try again",
            reason="GIT_ENDED",
        )
    for words, make in _MEANINGS:
        if words.search(own):
            return make(url)
    return failure if failure.damaged else remote_broken(failure, url)


def too_many_refs(url: str) -> StateError:
    """Say that a remote lists more than git, or this service, may keep in memory."""
    return StateError(
        f"{url} lists more branches and tags than fit into memory",
        remedy="check the address with `git ls-remote`; a repository that has so many needs cleaning up",
        reason="TOO_MANY_REFS",
    )


def no_such_objects(failure: GitFailed, url: str) -> LockstepError | None:
    """Say that a remote has promised an object and does not give it; None where it failed for another reason."""
    if found := _NOT_OURS.search(failure.said):
        return NotFoundError(f"{url} does not have {found[1]}", reason="NO_OBJECT", metadata={"oid": found[1]})
    if _NO_NAMES.search(failure.said):
        return StateError(
            f"{url} does not give the contents of files by name, which a partial clone asks for",
            remedy="fetch all of it with `lockstep workspace set NAME --no-partial-clone`",
            reason="NO_PARTIAL_CLONE",
        )
    return None


def remote_broken(failure: GitFailed, url: str) -> StateError:
    """Say that git cannot make sense of a remote, in its own words: a remote can make git say anything."""
    return StateError(
        f"git cannot work with {url}: {failure.message}",
        remedy="try `git clone --bare` of it; if that fails too, the repository or its host needs mending",
        reason="REMOTE_BROKEN",
    )


def local_error(failure: GitFailed) -> LockstepError:
    """Give the domain error of a git that worked on the mirror; the failure itself when it means nothing else."""
    if failure.overdue:
        return TimeoutExceededError(
            f"git {failure.command} took longer than git.timeout_seconds",
            remedy="try again, or raise that setting",
        )
    if _DISK.search(failure.said):
        return UnavailableError("the disk is full", remedy="make room in the data folder", reason="DISK_FULL")
    if failure.code < 0:
        return UnavailableError(
            f"git {failure.command} was ended by signal {-failure.code}",
            remedy="try again",
            reason="GIT_ENDED",
        )
    return failure


def unreadable(failure: GitFailed) -> LockstepError:
    """Give the domain error of a git that failed in a mirror that is as good as new."""
    error = local_error(failure)
    if error is not failure or not failure.damaged:
        return error
    return StateError(
        f"git cannot read what the repository holds: {failure.message}",
        remedy="run `git fsck --strict` in a clone of it and mend what it names; folders may be nested too deeply",
        reason="BAD_OBJECTS",
    )


def lost(failure: GitFailed) -> GitFailed:
    """Say that an object that git does not know was there before, which is damage."""
    return GitFailed(failure.command, failure.code, "fatal: missing commit", overdue=failure.overdue)


def no_repository(url: str) -> NotFoundError:
    """Say that there is no repository, or none that the token or key may see."""
    if is_ssh(url):
        return NotFoundError(
            f"there is no repository at {url}, or the SSH key may not see it",
            remedy="check the address with `lockstep git-config --show`, and what the key may read",
            reason="NO_REPOSITORY",
        )
    if not url.startswith("http"):
        return NotFoundError(
            f"there is no repository at {url}",
            remedy="check the address with `lockstep git-config --show`",
            reason="NO_REPOSITORY",
        )
    return NotFoundError(
        f"there is no repository at {url}, or the token may not see it",
        remedy=f"check the address with `lockstep git-config --show`, or {SIGN_IN_REMEDY}",
        reason="NO_REPOSITORY",
    )


def unknown_commit(what: str) -> StateError:
    """Say that a commit is neither in the mirror nor on the remote."""
    return StateError(
        f"the commit {what} is neither in the mirror nor on the remote",
        remedy="fetch, and start from the target branch as it is now",
        reason="UNKNOWN_COMMIT",
        metadata={"oid": what},
    )
