"""What is kept beside a record's content because it follows from it: its title and its quality."""

from collections.abc import Mapping

from services.core.collection import Collection
from services.core.quality import NO_SCORE, assess
from services.core.values import Value

_LONGEST_TITLE = 300


def title_of(record_id: str, value: Mapping[str, Value]) -> str:
    """Give one line that names a record for people."""
    for name in ("title", "name"):
        found = value.get(name)
        if isinstance(found, str) and (words := found.replace("\0", " ").split()):
            # PostgreSQL keeps no NUL in a text.
            return " ".join(words)[:_LONGEST_TITLE]
    return record_id


def derived(collection: Collection, record_id: str, value: dict[str, Value]) -> tuple[str, float]:
    """Give title and quality of a record by the rules of its collection."""
    quality = assess(collection.quality, value)[0] if collection.quality else NO_SCORE
    return title_of(record_id, value), quality
