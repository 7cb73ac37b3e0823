"""What a publication would be, before anything is stored, set aside or sent anywhere."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.core.errors import MovedError
from services.core.publication.body import generated_body
from services.core.publication.checks import Check, checks_of
from services.core.publication.markers import with_markers
from services.core.publication.title import branch_of, title_of
from services.pr.git_client import TARGET
from services.pr.model import Publication
from services.pr.preview import Preview
from services.pr.steps import Parts, wanted_title

# Stands for the publication's id, which is given out when it is stored.
NO_ID: Final = "ID"


@dataclass(frozen=True)
class Plan:
    """A publication as it would be made now; good for one commit of the target branch and one revision."""

    target_oid: str
    preview: Preview
    title: str
    body: str
    branch: str
    checks: Sequence[Check]


def plan(parts: Parts, publication: Publication) -> Plan:
    """Give the plan of a publication that is not stored; raises what making it would raise."""
    target = _target(parts, publication)
    preview = parts.sync.preview(publication)
    records = [file.item.published() for file in preview.files]
    title = wanted_title(publication) or title_of(records)
    generated = generated_body(publication.id, records, publication.override)
    left_out = Counter(one.why for one in preview.left_out)
    return Plan(
        target_oid=target,
        preview=preview,
        title=title,
        body=with_markers(publication.description, generated),
        branch=branch_of(publication.id, title),
        checks=checks_of(records, left_out, base=preview.base_oid, target=target),
    )


def check_target(parts: Parts, publication: Publication, expected: str) -> None:
    """Raise MovedError (reason PLAN_MOVED) when the target branch is not at the commit that a plan names."""
    now = _target(parts, publication)
    if expected not in ("", now):
        raise MovedError(
            f"the plan was made for commit {expected[:12]} of the target branch, which is at {now[:12] or 'none'} now",
            remedy="plan again, look at it, and repeat",
            reason="PLAN_MOVED",
        )


def _target(parts: Parts, publication: Publication) -> str:
    return parts.git.head(publication, TARGET, parts.place(publication).branch)
