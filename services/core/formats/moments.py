"""Dates and times as they are written in files: text to a record, whatever else a reader may make of them."""

import datetime as dt
import re
from typing import Final

_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
_OFFSET: Final = r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"

TEXT: Final = rf"(?P<day>\d{{4}}-\d\d-\d\d)([Tt ]{_CLOCK}{_OFFSET}?)?|{_CLOCK}"
"""A date, a time or both by RFC 3339, as an expression for ASCII; the group ``day`` is the date."""

_MOMENT: Final = re.compile(TEXT, re.ASCII)


def is_moment(text: str) -> bool:
    """Say whether a text is a date, a time or both."""
    found = _MOMENT.fullmatch(text)
    return found is not None and day_exists(found["day"])


def is_day(text: str) -> bool:
    """Say whether a text is a date, with or without a time."""
    return text[4:5] == "-" and is_moment(text)


def day_exists(day: str | None) -> bool:
    """Say whether a day written as ``YYYY-MM-DD`` is in the calendar; yes where there is none."""
    try:
        return day is None or bool(dt.date.fromisoformat(day))
    except ValueError:
        return False
