"""Quality rules of a collection: how good a record is, and why it is no better. Pure.

Rules are a list of objects, each naming a field and what it should be; a text in the list, or in its place, is
the name of a rule set that ships with the product (``services.core.quality_presets``)::

    [
        "research-timeline",
        {"field": "title", "min_length": 10, "max_length": 200, "weight": 2},
        {"field": "sources", "min_items": 2, "item_keys": ["title", "url"]},
        {"field": "/sources/*/url", "url": true},
        {"field": "end_date", "required": false, "not_before": "date"},
    ]

A field is a name, or a JSON pointer in which ``*`` stands for every item of a list. The score is ten times the
share of the weights whose rule holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from services.core.errors import InvalidInputError
from services.core.findings import Finding
from services.core.quality_checks import CHECKS, Check
from services.core.quality_presets import PRESETS
from services.core.values import Value, escape

NO_SCORE: Final = -1.0
Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Weight: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1000)]
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class QualityRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What one field should be. Checks that are not set are not made; a rule holds when all of its checks do.

    ``required``: it is there. ``min_length``, ``max_length``: of a text, in characters. ``min_items``,
    ``max_items``: of a list. ``minimum``, ``maximum``: of a number. ``allowed``: it, or each item of a list, is
    one of these. ``item_keys``: each item of a list has these, not empty. ``url``: it, or each item of a list, is
    an http or https address. ``date``: a calendar date as in ISO 8601, a time may follow. ``not_before``: a date
    no earlier than the one in this field of the record.
    """

    field: Name
    required: bool = True
    min_length: Count | None = None
    max_length: Count | None = None
    min_items: Count | None = None
    max_items: Count | None = None
    minimum: float | None = None
    maximum: float | None = None
    item_keys: tuple[Name, ...] = ()
    allowed: tuple[Any, ...] = ()
    url: bool = False
    date: bool = False
    not_before: str = ""
    weight: Weight = 1.0


@dataclass(frozen=True)
class _Compiled:
    """A rule, the parts of its field's path, and its checks: name, function, setting."""

    weight: float
    required: bool
    path: tuple[str, ...]
    checks: tuple[tuple[str, Check, Any], ...]


def check_quality(rules: bytes) -> None:
    """Raise InvalidInputError when the JSON text is neither a list of rules nor the name of a rule set."""
    if rules:
        _compiled(rules)


def assess(rules: bytes, value: dict[str, Value]) -> tuple[float, list[Finding]]:
    """Give the score from 0 to 10 (NO_SCORE without rules) and what keeps it from being 10.

    ``rules`` is JSON text; empty for none. Each rule that does not hold gives one finding, for the first field
    that breaks it.
    """
    parsed = _compiled(rules) if rules else ()
    total = sum(rule.weight for rule in parsed)
    if not total:
        return NO_SCORE, []
    findings: list[Finding] = []
    reached = 0.0
    for rule in parsed:
        found = _broken(rule, value)
        if found:
            findings.append(found)
        else:
            reached += rule.weight
    return round(10 * reached / total, 1), findings


@lru_cache(maxsize=64)
def _compiled(rules: bytes) -> tuple[_Compiled, ...]:
    return tuple(map(_compile, _read(rules)))


def _compile(rule: QualityRule) -> _Compiled:
    # A name is a name whatever is in it; only what begins with a slash is a pointer.
    parts = rule.field[1:].split("/") if rule.field.startswith("/") else [escape(rule.field)]
    path = tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
    checks = tuple((name, check, getattr(rule, name)) for name, check in CHECKS.items() if _is_set(rule, name))
    return _Compiled(rule.weight, rule.required, path, checks)


def _is_set(rule: QualityRule, name: str) -> bool:
    setting = getattr(rule, name)
    return setting is not None and setting is not False and setting not in ((), "")


def _read(rules: bytes) -> Iterator[QualityRule]:
    try:
        given = msgspec.json.decode(rules, type=str | list[str | QualityRule])
    except msgspec.MsgspecError as error:
        keys = ", ".join(name for name in QualityRule.__struct_fields__ if name != "field")
        raise InvalidInputError(
            f"the quality rules cannot be read: {error}",
            remedy=f"write a list of objects with the key 'field' and any of {keys}",
        ) from None
    for entry in [given] if isinstance(given, str) else given:
        if isinstance(entry, QualityRule):
            yield entry
        elif entry in PRESETS:
            yield from _read(PRESETS[entry])
        else:
            raise InvalidInputError(
                f"the quality rules name the rule set '{entry}', which there is not",
                remedy=f"name one of: {', '.join(sorted(PRESETS))}",
            )


def _broken(rule: _Compiled, record: dict[str, Value]) -> Finding | None:
    """Give the first field that breaks the rule, with the first check that fails; None when all hold."""
    for pointer, value in _found(record, rule.path, ""):
        if value is None:
            if rule.required:
                return Finding(pointer, "required", f"{_shown(pointer)} is missing")
            continue
        for name, check, setting in rule.checks:
            words = check(setting, value, record)
            if words:
                return Finding(pointer, name, f"{_shown(pointer)} {words}")
    return None


def _shown(pointer: str) -> str:
    return pointer[1:].replace("~1", "/").replace("~0", "~")


def _found(value: Value, path: tuple[str, ...], pointer: str) -> Iterator[tuple[str, Value]]:
    """Give the fields that a path names, each with its pointer; None where there is none."""
    if not path:
        yield pointer, value
        return
    first, rest = path[0], path[1:]
    if first == "*":
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from _found(item, rest, f"{pointer}/{number}")
    elif isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        yield from _found(value[int(first)], rest, f"{pointer}/{first}")
    else:
        yield from _found(value.get(first) if isinstance(value, dict) else None, rest, f"{pointer}/{escape(first)}")
