"""Contents of records and files, and the numbers in them that somebody set."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError, NotFoundError
from services.core.formats import format_of
from services.core.merge import MISSING
from services.core.values import ParseError, Value, get, loads
from tests.integration.sync.memory_git import Tree

# Numbers above are set once each; what else is in a record is nobody's edit.
FIRST: Final = 100_001
Object = dict[str, Value]


def parse(path: str, data: bytes) -> Object | None:
    """Give what a file holds; None for one that holds no record."""
    form = format_of(path.encode())
    try:
        return form.parse(data) if form else None
    except ParseError:
        return None


def write(path: str, value: Object, old: bytes) -> bytes:
    """Give a file with other content, in its own style."""
    form = format_of(path.encode())
    assert form is not None
    return form.edit(old, value)


def fresh_file(path: str, value: Object) -> bytes:
    """Give a new file."""
    form = format_of(path.encode())
    assert form is not None
    return form.new(value)


def put(tree: Tree, path: str, content: bytes | None) -> None:
    """Write or delete a file."""
    if content is None:
        tree.pop(path, None)
    else:
        tree[path] = content


def at(value: Value, pointer: str) -> Any:
    """Give a field; MISSING where there is none."""
    try:
        return get(value, pointer)
    except (NotFoundError, InvalidInputError):
        return MISSING


def with_field(value: Object, pointer: str, new: Any) -> Object:
    """Give a record with another value of a field, making and dropping what is around it."""
    name, _, inner = pointer[1:].partition("/")
    rest = {key: kept for key, kept in value.items() if key != name}
    if inner:
        outer = value.get(name)
        deeper = {key: kept for key, kept in (outer if isinstance(outer, dict) else {}).items() if key != inner}
        new = deeper if new is MISSING else {**deeper, inner: new}
    return rest if new is MISSING else {**rest, name: new}


def numbers(record: sync_pb2.Record, pointer: str) -> set[int]:
    """Give the numbers in a field."""
    found = at(loads(record.content), pointer)
    return set() if found is MISSING else all_numbers(found)


def all_numbers(value: Any) -> set[int]:
    """Give the numbers that were set."""
    return set(_walk(value))


def held(rows: Iterable[sync_pb2.Record]) -> set[int]:
    """Give the numbers in records that are not deleted."""
    return set().union(*(all_numbers(loads(row.content)) for row in rows if not row.deleted))


def ordered(value: Any) -> Any:
    """Give a value with its keys in order."""
    return {key: ordered(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _walk(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _walk(inner)
    elif isinstance(value, int) and value > FIRST:
        yield value
