"""YAML files: records of which an edit touches only the lines of what changed."""

from collections.abc import Iterator

from services.core.formats.bracketed import rebuild
from services.core.formats.envelope import Envelope, Newline
from services.core.formats.spans import Node, NoSpliceError, apply
from services.core.formats.yaml_block import BlockEdit
from services.core.formats.yaml_nodes import compose, values
from services.core.formats.yaml_quick import read
from services.core.formats.yaml_tree import tree
from services.core.formats.yaml_writer import YamlWriter
from services.core.values import ParseError, Value, dumps, equal

_ROUNDS = 4


class YamlFormat:
    """Records in YAML files (``.yaml``, ``.yml``), by the YAML 1.2 core schema."""

    name = "yaml"

    def parse(self, data: bytes) -> dict[str, Value]:
        """Give the record in a file; ParseError when it is no single YAML mapping."""
        return parse_text(Envelope.open(data).text)

    def parse_canonical(self, data: bytes) -> tuple[dict[str, Value], bytes]:
        """Give the record and its canonical JSON text."""
        value = self.parse(data)
        return value, dumps(value)

    def edit(self, data: bytes, new: dict[str, Value]) -> bytes:
        """Give the bytes of the file with the record ``new``; only what changed is touched."""
        envelope = Envelope.open(data)
        text = edit_text(envelope.text, envelope.newline, new)
        return data if text == envelope.text else envelope.close(text)

    def new(self, value: dict[str, Value]) -> bytes:
        """Give a fresh file in the house style."""
        return new_text(value, "\n").encode()


def parse_text(text: str) -> dict[str, Value]:
    """Give the record in a YAML text; ParseError when it is no single mapping."""
    found = read(text)
    return values(text, compose(text)) if found is None else found


def new_text(value: dict[str, Value], newline: Newline) -> str:
    """Write a record in the house style."""
    writer = YamlWriter(newline)
    return (writer.entries(value, 0) if value else "{}") + newline


def edit_text(text: str, newline: Newline, new: dict[str, Value]) -> str:
    """Give a YAML text with another record, changed in place as far as that gives exactly ``new``.

    Each attempt is read back before it counts. What cannot be spliced is written anew field by field,
    and in the last resort as a whole.
    """
    root = compose(text)
    old = values(text, root)
    if equal(old, new):
        return text
    places = tree(text, root, old)
    writer = YamlWriter.like(text, places, newline)
    for attempt in _attempts(text, places, new, writer):
        endings = [attempt]
        if not text.endswith("\n") and attempt.endswith("\n"):
            endings.insert(0, attempt.removesuffix("\n").removesuffix("\r"))
        for ending in endings:
            if equal(_read(ending), new):
                return ending
    return new_text(new, newline)


def _attempts(text: str, root: Node, new: dict[str, Value], writer: YamlWriter) -> Iterator[str]:
    if root.style == "bracketed":
        yield text[: root.start] + rebuild(text, root, new, writer, None) + text[root.end :]
        return
    whole: frozenset[str] = frozenset()
    for _ in range(_ROUNDS):
        edit = BlockEdit(text, writer)
        try:
            edit.mapping(root, new, whole=whole)
            attempt = apply(text, edit.splices)
        except NoSpliceError:
            attempt = ""
        if attempt:
            yield attempt
        wider = whole | _wrong(text, root, new, _read(attempt))
        if wider == whole:
            return
        whole = wider


def _read(text: str) -> Value:
    try:
        return parse_text(text)
    except ParseError:
        return None


def _wrong(text: str, root: Node, new: dict[str, Value], got: Value) -> frozenset[str]:
    """Name the fields to write anew: those that came out wrong, or if none came out, all possible causes."""
    if isinstance(got, dict):
        return frozenset(name for name in new if name not in got or not equal(got[name], new[name]))
    names: set[str] = set()
    for key, child in zip(root.keys, root.children, strict=True):
        source = text[child.start : child.end]
        old = root.value[key.name] if isinstance(root.value, dict) and key.name in root.value else None
        if key.name in new and ("&" in source or "*" in source or not equal(old, new[key.name])):
            names.add(key.name)
    return frozenset(names)
