"""The title of a publication, and the branch that it travels on."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from services.core.publication.content import PublishedRecord, date_range
from services.core.publication.escape import one_line, quiet

TITLE_LIMIT: Final = 120
_SLUG_LIMIT: Final = 40
_VERBS: Final = {"create": "Add", "update": "Update", "rename": "Rename", "delete": "Delete"}
PREFIX: Final = "lockstep"


def title_of(records: Sequence[PublishedRecord]) -> str:
    """Give "Update Fire at the depot" for one record, else "Update 25 events (2019-01-02 to 2024-05-06)".

    The noun is the collection's name where all records are of one, else "records".
    """
    verbs = {_VERBS[record.action] for record in records}
    verb = verbs.pop() if len(verbs) == 1 else "Update"
    if len(records) == 1:
        return quiet(one_line(f"{verb} {records[0].title or records[0].record_id}", TITLE_LIMIT))
    collections = {record.collection for record in records}
    noun = collections.pop() if len(collections) == 1 else "records"
    dates = date_range(records)
    return quiet(one_line(f"{verb} {len(records)} {noun}", TITLE_LIMIT)) + (f" ({dates})" if dates else "")


def branch_of(publication_id: str, title: str) -> str:
    """Give ``lockstep/ID-SLUG``: the id makes it one publication's, the slug readable (ASCII, no dots)."""
    # The dates in parentheses at a title's end would only be cut.
    words = title.partition(" (")[0]
    ascii_only = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only.lower())[:_SLUG_LIMIT].strip("-")
    return f"{PREFIX}/{publication_id}-{slug}" if slug else f"{PREFIX}/{publication_id}"
