"""The messages of the commits that a publication makes."""

import re
from collections.abc import Sequence
from typing import Final

from services.core.publication.content import Author
from services.core.publication.escape import one_line

TRAILER: Final = "Lockstep-Publication"
_PERSON_LIMIT: Final = 200


def commit_message(
    *,
    title: str,
    description: str,
    publication_id: str,
    author: Author,
    others: Sequence[Author],
) -> str:
    """Give subject, description and the trailers that name the publication and the further authors."""
    trailers = [f"{TRAILER}: {publication_id}"]
    trailers += [
        f"Co-authored-by: {person(other)}" for other in others if other.email.casefold() != author.email.casefold()
    ]
    parts = [one_line(title, _PERSON_LIMIT), _text(description), "\n".join(trailers)]
    return "\n\n".join(part for part in parts if part) + "\n"


def merge_message(*, title: str, branch: str, number: int, publication_id: str) -> str:
    """Give the message of the merge commit on a remote without a pull-request API."""
    subject = f"Merge publication {number} from {branch}"
    return f"{subject}\n\n{one_line(title, _PERSON_LIMIT)}\n\n{TRAILER}: {publication_id}\n"


def person(author: Author) -> str:
    """Give "Name <address>" without anything that would end either part early."""
    name, email = (re.sub(r"[<>]", "", one_line(part, _PERSON_LIMIT)).strip() for part in (author.name, author.email))
    return f"{name or email} <{email.replace(' ', '')}>"


def _text(description: str) -> str:
    lines = [line.rstrip() for line in description.replace("\0", "").splitlines()]
    return "\n".join(lines).strip()
