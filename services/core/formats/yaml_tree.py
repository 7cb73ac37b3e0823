"""Where everything is in a YAML text: libyaml's marks, made exact.

libyaml lets block collections and block scalars end at the next token and knows no place for an alias
or an empty value; editing needs the last character of each value, and the dash of each item.
"""

import re
from typing import Final

from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.nodes import Node as YamlNode

from services.core.formats.spans import Key, Node, Style
from services.core.values import Value

_STYLES: Final[dict[str, Style]] = {"": "plain", "'": "single", '"': "double", "|": "literal", ">": "folded"}
_ALIAS: Final = re.compile(r"\s*(\*[^\s,\[\]{}]+)")
_COLON: Final = re.compile(r"\s*:")


def tree(text: str, root: MappingNode, record: dict[str, Value]) -> Node:
    """Give the places of a record: ``root`` is the node graph of ``text``, ``record`` what it means."""
    return _Builder(text).node(root, record, root.start_mark.index)


class _Builder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._seen: set[int] = set()

    def node(self, node: YamlNode, value: Value, after: int) -> Node:
        """Place one value that begins after ``after`` (the end of its colon or dash)."""
        if id(node) in self._seen:
            found = _ALIAS.match(self._text, after)
            start, end = found.span(1) if found else (after, after)
            return Node(value, start, end, "opaque")
        self._seen.add(id(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node, value, after)
        if isinstance(node, MappingNode):
            return self._mapping(node, value if isinstance(value, dict) else {})
        if isinstance(node, SequenceNode):
            return self._list(node, value if isinstance(value, list) else [])
        raise TypeError(f"libyaml gave a {type(node).__name__}")

    def _scalar(self, node: ScalarNode, value: Value, after: int) -> Node:
        start, end = node.start_mark.index, node.end_mark.index
        if self._text[start : start + 1] in {"&", "!"} and node.style != '"':
            return Node(value, start, end, "opaque")
        style = _STYLES.get(node.style or "", "opaque")
        if start == end:
            return Node(value, after, after, "empty")
        if style in {"literal", "folded"}:
            raw = self._text[start:end]
            keeps = "+" in raw.split("\n", 1)[0].split("#", 1)[0]
            content = len(raw.rstrip(" \t")) if keeps else len(raw.rstrip())
            last = raw.rfind("\n", 0, content) if keeps else raw.find("\n", content)
            end = start + len(raw if last < 0 else raw[:last].removesuffix("\r"))
        return Node(value, start, end, style)

    def _mapping(self, node: MappingNode, value: dict[str, Value]) -> Node:
        keys: list[Key] = []
        children: list[Node] = []
        for key, item in node.value:
            merge = key.value == "<<" and key.style == "" and key.tag == ""
            keys.append(Key(key.value, key.start_mark.index, key.end_mark.index, merge))
            colon = _COLON.match(self._text, key.end_mark.index)
            after = colon.end() if colon else key.end_mark.index
            children.append(self.node(item, None if merge else value.get(key.value), after))
        return self._collection(node, value, keys, children, keys[0].start if keys else -1)

    def _list(self, node: SequenceNode, value: list[Value]) -> Node:
        keys: list[Key] = []
        children: list[Node] = []
        dash = node.start_mark.index
        pattern = re.compile(rf"^[ ]{{{node.start_mark.column}}}(-)(?=\s|\Z)", re.MULTILINE)
        for item, one in zip(node.value, value, strict=True):
            if not node.flow_style and children:
                found = pattern.search(self._text, children[-1].end)
                dash = found.start(1) if found else item.start_mark.index
            after = item.start_mark.index if node.flow_style else dash + 1
            if not node.flow_style:
                keys.append(Key("", dash, dash + 1))
            children.append(self.node(item, one, after))
        return self._collection(node, value, keys, children, node.start_mark.index)

    def _collection(self, node: YamlNode, value: Value, keys: list[Key], children: list[Node], begin: int) -> Node:
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, MappingNode | SequenceNode) and node.flow_style:
            known = self._text[start] in "{["
            return Node(value, start, end, "bracketed" if known else "opaque", keys, children)
        known = begin == start and (isinstance(node, MappingNode) or self._text[start] == "-")
        return Node(value, start, children[-1].end, "block" if known else "opaque", keys, children)
