"""Which commit a name stands for."""

import re
from typing import Final

from services.core.errors import NotFoundError
from services.git import names, transfer
from services.git.mirror import TARGET, Mirror

_WHOLE: Final = re.compile(r"[0-9a-f]{40}\Z")
_BEGINNING: Final = re.compile(r"[0-9a-f]{7,39}\Z")


def resolve(mirror: Mirror, revision: str) -> str:
    """Give the commit that a revision stands for, which is in the mirror afterwards.

    A revision is a commit, the beginning of one that the mirror has, a branch or a tag of the target remote as
    it is now, or empty for the target branch as last fetched. Raises NotFoundError (reason NO_REVISION) when
    there is none of that name, StateError (reason UNKNOWN_COMMIT) for a commit that is nowhere.
    """
    if not revision:
        return _target_head(mirror)
    oid = revision if _WHOLE.match(revision) else _beginning(mirror, revision) or _named(mirror, revision)
    mirror.healing(lambda: mirror.obtain([oid]))
    return oid


def _target_head(mirror: Mirror) -> str:
    mirror.ensure()
    ref = TARGET + mirror.address().branch
    head = mirror.healing(lambda: mirror.ref(ref))
    if not head:
        for _ in mirror.fetch():
            pass
        head = mirror.ref(ref)
    return head


def _beginning(mirror: Mirror, revision: str) -> str:
    if not _BEGINNING.match(revision):
        return ""
    mirror.ensure()
    args = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"]
    done = mirror.runner.run(args, at=mirror.path, good=(0, 1, 128))
    return done.stdout.decode("ascii", "replace").strip() if done.code == 0 else ""


def _named(mirror: Mirror, revision: str) -> str:
    name = names.ref_part(revision, "revision", "is neither a commit nor the name of a branch or tag")
    wanted = [f"refs/heads/{name}", f"refs/tags/{name}^{{}}", f"refs/tags/{name}"]
    target = mirror.target()
    found = mirror.at_remote(target, lambda r: transfer.peeled_refs(mirror.runner, mirror.root, r, wanted))
    oid = next((found[ref.encode()] for ref in wanted if ref.encode() in found), "")
    if not oid:
        raise NotFoundError(
            f"there is no commit, branch or tag {revision!r} in {target.url}",
            remedy="name one that exists; a commit by at least 7 of its digits",
            reason="NO_REVISION",
        )
    return oid
