"""Reads the YAML file that describes collections, naming file, line and key of what is wrong."""

from pathlib import Path
from typing import Any, Final

import yaml

from services.core.errors import InvalidInputError
from services.core.formats import FORMATS
from services.core.values import ParseError, Value, loads

_TEXTS: Final = ("name", "path", "new_path", "schema_path")
_LISTS: Final = ("include", "exclude")
_BRAKES: Final = {"records": 1_000_000_000, "percent": 100}
_REVIEWS: Final = ("off", "required")
_ID_RULES: Final = ("field", "stem", "path")
KEYS: Final = (
    *("name", "path", "include", "exclude", "id", "new_path"),
    *("schema", "schema_path", "quality", "review", "merge", "brake"),
)


def read_collections(file: Path) -> list[dict[str, Any]]:
    """Give the collections of a file: one mapping, or a list of mappings under the key ``collections``.

    A schema may be a mapping or the path of a JSON or YAML file, relative to this one. Raises
    InvalidInputError.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{file} cannot be read: {error.strerror}", remedy="name a YAML file") from None
    try:
        top = FORMATS["yaml"].parse(data)
    except ParseError as error:
        raise InvalidInputError(f"{file}, line {error.line}: {error.message}") from None
    lines = _Lines(file, data)
    if set(top) == {"collections"}:
        items = top["collections"]
        if not isinstance(items, list) or not items:
            raise lines.wrong("collections", "is no list of collections", ("collections",))
        return [_collection(item, lines, ("collections", number)) for number, item in enumerate(items)]
    return [_collection(top, lines, ())]


def _collection(item: Value, lines: "_Lines", where: tuple[str | int, ...]) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise lines.wrong("collections", "holds something that is no mapping", where)
    _check(item, lines, where)
    found: dict[str, Any] = dict(item)
    for key in _LISTS:
        if key in item:
            found[key] = _texts(key, item[key], lines, where)
    if isinstance(item.get("schema"), str):
        found["schema"] = _schema(lines.file.parent / str(item["schema"]), lines, (*where, "schema"))
    return found


def _check(item: dict[str, Value], lines: "_Lines", where: tuple[str | int, ...]) -> None:
    for key, value in item.items():
        if key not in KEYS:
            raise lines.wrong(key, f"is not a key; the keys are {', '.join(KEYS)}", (*where, key))
        if key in _TEXTS and not isinstance(value, str):
            raise lines.wrong(key, "is no text", (*where, key))
        if key == "id" and value not in _ID_RULES:
            raise lines.wrong(key, f"is none of {', '.join(_ID_RULES)}", (*where, key))
        if key == "review" and value not in _REVIEWS:
            raise lines.wrong(key, f"is none of {', '.join(_REVIEWS)}", (*where, key))
        if key == "merge" and not isinstance(value, dict):
            raise lines.wrong(key, "is no mapping of fields to how they merge", (*where, key))
        if key == "brake":
            _check_brake(value, lines, (*where, key))
        if key == "schema" and not isinstance(value, str | dict):
            raise lines.wrong(key, "is neither a mapping nor the path of a file", (*where, key))
    if not item.get("name"):
        raise lines.wrong("name", "is missing", where)


def _check_brake(value: Value, lines: "_Lines", where: tuple[str | int, ...]) -> None:
    if not isinstance(value, dict) or not value.keys() <= _BRAKES.keys():
        raise lines.wrong("brake", "is no mapping of records and percent", where)
    for key, number in value.items():
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _BRAKES[key]:
            raise lines.wrong(f"brake: {key}", f"is no whole number from 0 to {_BRAKES[key]:,}", (*where, key))


def _texts(key: str, value: Value, lines: "_Lines", where: tuple[str | int, ...]) -> list[Value]:
    texts: list[Value] = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise lines.wrong(key, "is no list of patterns", (*where, key))
    return texts


def _schema(path: Path, lines: "_Lines", where: tuple[str | int, ...]) -> Value:
    try:
        data = path.read_bytes()
        return FORMATS["yaml"].parse(data) if path.suffix in (".yaml", ".yml") else loads(data)
    except OSError as error:
        raise lines.wrong("schema", f"names {path}, which cannot be read: {error.strerror}", where) from None
    except ParseError as error:
        raise lines.wrong("schema", f"names {path}, line {error.line}: {error.message}", where) from None


class _Lines:
    """Finds the line of a key in a YAML file."""

    def __init__(self, file: Path, data: bytes) -> None:
        self.file = file
        self._root = yaml.compose(data, Loader=yaml.SafeLoader)

    def wrong(self, key: str, what: str, path: tuple[str | int, ...]) -> InvalidInputError:
        """Give the error for a key; its line is that of the innermost part of the path there is."""
        return InvalidInputError(
            f"{self.file}, line {self._line(path)}: {key} {what}",
            remedy="correct the file; nothing was changed",
        )

    def _line(self, path: tuple[str | int, ...]) -> int:
        node, mark = self._root, 0
        for part in path:
            if isinstance(node, yaml.MappingNode):
                pair = next(((k, v) for k, v in node.value if k.value == part), None)
                if pair is None:
                    break
                mark, node = pair[0].start_mark.line, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
                node = node.value[part]
                mark = node.start_mark.line
        return int(mark) + 1
