"""Reading YAML: libyaml's node graph, and values by the YAML 1.2 core schema.

``no`` is text, dates are text, every number keeps its digits. Keys are the text they are written as.
Aliases and merge keys are resolved, under a limit on what they may expand to.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import yaml
from yaml._yaml import CParser
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from services.core.values import MAX_DEPTH, ParseError, Value

MAX_EXPANDED: Final = 100_000
"""How many values a file with aliases may expand to."""

_STR: Final = "tag:yaml.org,2002:str"
_CORE: Final = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")}

_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_FIRST: Final = frozenset("~nNtTfF+-.0123456789")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL: Final = re.compile(r"0o[0-7]+\Z")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_NOT_FINITE: Final = re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")


def resolve(text: str) -> Value:
    """Give the value of a plain scalar; ValueError for ``.inf``, ``.nan`` and numbers out of range."""
    if text and text[0] not in _FIRST:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text):
        return int(text)
    if _OCTAL.match(text) or _HEX.match(text):
        value = int(text, 0)
        str(value)  # bases 8 and 16 have no limit of their own, and a number that cannot be written is none
        return value
    if _FLOAT.match(text):
        try:
            return Decimal(text)
        except InvalidOperation:
            raise ValueError(text) from None
    if _NOT_FINITE.match(text):
        raise ValueError(text)
    return text


def compose(text: str) -> MappingNode:
    """Give the node graph of a YAML text that holds one mapping; ParseError otherwise."""
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        _refuse_syntax(error, line, column)
    except yaml.reader.ReaderError as error:
        position = error.position if isinstance(error.position, int) else 0
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
        raise ParseError(
            "syntax", line, column, "YAML does not allow this control character; remove or escape it"
        ) from None
    finally:
        if loader is not None:
            loader.dispose()
    if isinstance(root, MappingNode):
        return root
    raise ParseError("value", 1, 1, "a record is a YAML mapping; write it as lines of 'key: value'")


def values(text: str, root: MappingNode) -> dict[str, Value]:
    """Give the record that a node graph means; ParseError for what is no record value."""
    budget = _Budget() if "*" in text and "&" in text else None
    return _mapping(root, budget)


def own_entries(node: MappingNode) -> list[tuple[ScalarNode, Node]]:
    """Give the entries that a mapping has itself: all but its merge keys."""
    return [(key, item) for key, item in node.value if not _merges(key)]


class _Loader(CParser):
    """libyaml's parser and composer, with tags left to ``_value`` and nesting limited."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def resolve(self, _kind: type[Node], _value: object, _implicit: object) -> str:
        return ""

    def descend_resolver(self, parent: Node | None, _index: object) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            mark = parent.start_mark if parent is not None else None
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise ParseError("value", line, column, f"this is nested more than {MAX_DEPTH} levels deep; flatten it")

    def ascend_resolver(self) -> None:
        self._depth -= 1


class _Budget:
    """Counts the values of a file with aliases, and knows the path it is on, to find cycles."""

    def __init__(self) -> None:
        self._left = MAX_EXPANDED
        self._path: set[int] = set()

    def enter(self, node: Node) -> None:
        self._left -= 1
        if self._left < 0:
            _refuse(node, f"the aliases here expand to more than {MAX_EXPANDED} values; write the values out")
        if id(node) in self._path:
            _refuse(node, "this anchor contains an alias to itself; write the value out")
        self._path.add(id(node))

    def leave(self, node: Node) -> None:
        self._path.discard(id(node))


def _value(node: Node, budget: _Budget | None) -> Value:
    if isinstance(node, ScalarNode):
        if node.style == "" and node.tag == "":
            try:
                return resolve(node.value)
            except ValueError:
                _refuse_number(node)
        return node.value if node.tag == "" else _tagged(node)
    if budget is not None:
        budget.enter(node)
    value: Value
    if isinstance(node, MappingNode):
        value = _mapping(node, budget)
    else:
        if node.tag not in {"", "tag:yaml.org,2002:seq"}:
            _refuse_tag(node)
        value = [_value(item, budget) for item in node.value]
    if budget is not None:
        budget.leave(node)
    return value


def _mapping(node: MappingNode, budget: _Budget | None) -> dict[str, Value]:
    if node.tag not in {"", "tag:yaml.org,2002:map"}:
        _refuse_tag(node)
    result: dict[str, Value] = {}
    merged: list[Node] = []
    for key, item in node.value:
        if not isinstance(key, ScalarNode):
            _refuse(key, "a key is a list or a mapping; write keys as text")
        if _merges(key):
            merged += _merged(item)
        elif key.value in result:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            message = f"the key {key.value!r} occurs twice in one mapping; remove one of them"
            raise ParseError("duplicate-key", line, column, message)
        else:
            result[key.value] = _value(item, budget)
    for source in merged:
        inherited = _value(source, budget)
        if isinstance(inherited, dict):
            for name, value in inherited.items():
                result.setdefault(name, value)
    return result


def _merges(key: Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == "<<" and key.style == "" and key.tag == ""


def _merged(item: Node) -> list[Node]:
    sources = item.value if isinstance(item, SequenceNode) else [item]
    for source in sources:
        if not isinstance(source, MappingNode):
            _refuse(source, "a merge key << takes mappings only; write the key in quotes if it is text")
    return list(sources)


def _tagged(node: ScalarNode) -> Value:
    if node.tag == _STR:
        return str(node.value)
    if node.tag not in _CORE:
        _refuse_tag(node)
    try:
        value = resolve(node.value)
    except ValueError:
        _refuse_number(node)
    expected: dict[str, tuple[type, ...]] = {"int": (int,), "float": (Decimal, int), "bool": (bool,)}
    kinds = expected.get(node.tag.rsplit(":", 1)[1], (type(None),))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        _refuse(node, f"{node.value!r} does not fit its tag; correct the value or remove the tag")
    return Decimal(value) if isinstance(value, int) and Decimal in kinds else value


def _refuse(node: Node, message: str) -> NoReturn:
    raise ParseError("value", node.start_mark.line + 1, node.start_mark.column + 1, message)


def _refuse_tag(node: Node) -> NoReturn:
    _refuse(node, f"the tag {node.tag!r} is not supported; remove it")


def _refuse_number(node: ScalarNode) -> NoReturn:
    _refuse(node, f"{node.value[:40]!r} is no finite number below 4,300 digits; put it in quotes if it is text")


def _refuse_syntax(error: Any, line: int, column: int) -> NoReturn:
    problem = str(error.problem or "this is no valid YAML")
    if "another document" in problem:
        raise ParseError(
            "syntax", line, column, "a second YAML document begins here; keep one document per file"
        ) from None
    if "cannot start any token" in problem and "\\t" in problem:
        raise ParseError("syntax", line, column, "a tab indents this line; use spaces") from None
    context = f" {error.context}" if error.context else ""
    hint = "put text that contains ': ' or ' #' or begins with a special character in quotes"
    raise ParseError("syntax", line, column, f"this is no valid YAML ({problem}{context}); {hint}") from None
