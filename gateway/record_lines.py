"""Records as JSON lines and as CSV. Pure.

A column is a field of the content, named like ``place.town`` or by its JSON pointer, or with ``@`` before it
something of the record: ``@id @collection @title @state @revision @quality @path @deleted @updated_by @updated_at``.

In CSV a text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a line end) gets an
apostrophe before it; numbers do not. Lists and objects are JSON text; what is not there is empty.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from gateway import convert
from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError
from services.core.fields import MISSING, Field, Missing
from services.core.values import Value, dumps, escape, loads, number_text

MAX_COLUMNS: Final = 1000
_OF_RECORD: Final = (
    "id",
    "collection",
    "title",
    "state",
    "revision",
    "quality",
    "path",
    "deleted",
    "updated_by",
    "updated_at",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class Columns:
    """Columns by the names that a person gave; InvalidInputError for one that makes no sense."""

    def __init__(self, names: Sequence[str]) -> None:
        """Check the names."""
        for name in names:
            if not name.strip("@/.") or (name.startswith("@") and name[1:] not in _OF_RECORD):
                known = ", ".join(f"@{column}" for column in _OF_RECORD)
                raise InvalidInputError(
                    f"'{name[:100]}' is no column", remedy=f"name fields like place.town, or {known}"
                )
        if len(names) > MAX_COLUMNS:
            raise InvalidInputError(f"there are {len(names)} columns", remedy=f"give at most {MAX_COLUMNS}")
        self._names = list(names)

    @property
    def headings(self) -> list[str]:
        """Give what stands above the columns."""
        return [_heading(name) for name in self._names]

    def values(self, record: sync_pb2.Record) -> list[Field]:
        """Give a record's values."""
        content = loads(record.content)
        return [_value(record, content, name) for name in self._names]


def json_line(record: sync_pb2.Record, columns: Columns | None) -> bytes:
    """Give a record as one line: what ``records import`` takes, or the columns as an object."""
    if columns is None:
        about: dict[str, Value] = {"collection": record.collection, "id": record.id, "revision": record.revision}
        # The content is canonical JSON already.
        return dumps(about)[:-1] + b',"content":' + record.content + b"}\n"
    pairs = zip(columns.headings, columns.values(record), strict=True)
    shown: dict[str, Value] = {name: value for name, value in pairs if not isinstance(value, Missing)}
    return dumps(shown) + b"\n"


def csv_line(cells: Iterable[Field]) -> bytes:
    """Give a line of CSV as RFC 4180 has it."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue().encode()


def fields_of(record: sync_pb2.Record, known: dict[str, None]) -> None:
    """Add the names of a record's top-level fields, as columns, to those that are known."""
    content = loads(record.content)
    for name in content if isinstance(content, dict) and len(known) < MAX_COLUMNS else ():
        known.setdefault(f"/{escape(name)}")


def _heading(name: str) -> str:
    """Give a column's name, without the signs of its kind where it is clear without them."""
    if name.startswith("/") and name.count("/") == 1:
        return name[1:].replace("~1", "/").replace("~0", "~")
    return name.removeprefix("@")


def _value(record: sync_pb2.Record, content: Value, name: str) -> Field:
    if not name.startswith("@"):
        pointer = name if name.startswith("/") else "".join(f"/{escape(part)}" for part in name.split("."))
        return _at(content, pointer)
    shown: dict[str, Any] = convert.record(record).model_dump()
    found = shown[name[1:]]
    return Decimal(repr(found)) if isinstance(found, float) else found


def _at(content: Value, pointer: str) -> Field:
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(content, dict) and key in content:
            content = content[key]
        elif isinstance(content, list) and key.isdecimal() and key.isascii() and int(key) < len(content):
            content = content[int(key)]
        else:
            return MISSING
    return content


def _cell(value: Field) -> str:
    if value is None or isinstance(value, Missing):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if isinstance(value, Decimal):
        return number_text(value)
    return str(value) if isinstance(value, int) else dumps(value).decode()
