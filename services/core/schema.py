"""JSON Schema and quality rules of a collection: what is wrong with a record, and how good it is. Pure.

Quality rules are a list of objects, each naming a field and what it should be::

    [
        {"field": "title", "min_length": 10, "max_length": 200, "weight": 2},
        {"field": "sources", "min_items": 2, "item_keys": ["title", "url"]},
        {"field": "importance", "minimum": 1, "maximum": 10},
    ]

The score is ten times the share of the weights whose rule holds.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import msgspec

from services.core.errors import InvalidInputError
from services.core.values import Value, escape, loads

NO_SCORE: Final = -1.0
_CHECKS: Final = (
    "required",
    "min_length",
    "max_length",
    "min_items",
    "minimum",
    "maximum",
    "item_keys",
    "allowed",
)


@dataclass(frozen=True)
class Finding:
    """One thing wrong: JSON pointer of the field, name of the rule, one sentence."""

    pointer: str
    rule: str
    message: str


class QualityRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What one field should be. Unset checks are not made."""

    field: str
    required: bool = True
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    item_keys: tuple[str, ...] = ()
    allowed: tuple[Any, ...] = ()
    weight: float = 1.0


def check_schema(schema: bytes) -> None:
    """Raise InvalidInputError when the text is no JSON Schema."""
    if schema:
        _validator(schema)


def check_quality(rules: bytes) -> None:
    """Raise InvalidInputError when the text is no list of quality rules."""
    if rules:
        _rules(rules)


def validate(schema: bytes, value: dict[str, Value]) -> list[Finding]:
    """Give what a record breaks of its schema (JSON text; empty allows anything), in document order."""
    if not schema:
        return []
    validator = _validator(schema)
    if validator.is_valid(value):
        return []
    return [
        Finding(
            pointer="".join(f"/{escape(str(part))}" for part in error.instance_path),
            rule=str(error.schema_path[-1]) if error.schema_path else "false",
            message=error.message,
        )
        for error in validator.iter_errors(value)
    ]


def properties(schema: bytes) -> frozenset[str]:
    """Give the top-level fields that a schema names."""
    parsed = loads(schema) if schema else {}
    named = parsed.get("properties") if isinstance(parsed, dict) else None
    return frozenset(named) if isinstance(named, dict) else frozenset()


def assess(rules: bytes, value: dict[str, Value]) -> tuple[float, list[Finding]]:
    """Give the score from 0 to 10 (NO_SCORE without rules) and what keeps it from being 10."""
    parsed = _rules(rules) if rules else ()
    total = sum(rule.weight for rule in parsed)
    if not total:
        return NO_SCORE, []
    findings: list[Finding] = []
    reached = 0.0
    for rule in parsed:
        broken = _broken(rule, value.get(rule.field))
        if broken:
            findings.append(Finding(f"/{escape(rule.field)}", broken[0], f"{rule.field} {broken[1]}"))
        else:
            reached += rule.weight
    return round(10 * reached / total, 1), findings


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Any:
    try:
        return jsonschema_rs.validator_for(schema.decode())
    except Exception as error:  # noqa: BLE001  jsonschema-rs raises several kinds for a schema that is none
        raise InvalidInputError(
            f"the schema is no JSON Schema: {str(error).splitlines()[0]}",
            remedy="correct the schema; nothing was changed",
        ) from None


@lru_cache(maxsize=64)
def _rules(rules: bytes) -> tuple[QualityRule, ...]:
    try:
        return tuple(msgspec.json.decode(rules, type=list[QualityRule]))
    except msgspec.MsgspecError as error:
        raise InvalidInputError(
            f"the quality rules cannot be read: {error}",
            remedy=f"write a list of objects with the key 'field' and any of {', '.join(_CHECKS)}, weight",
        ) from None


def _broken(rule: QualityRule, value: Value) -> tuple[str, str] | None:
    """Give name and words of the first check that fails; None when all hold."""
    if value is None:
        return ("required", "is missing") if rule.required else None
    size = len(value) if isinstance(value, str | list | dict) else 0
    number = value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    items = value if isinstance(value, list) else []
    lacking = next(
        (key for item in items for key in rule.item_keys if not (isinstance(item, dict) and item.get(key))),
        None,
    )
    checks = (
        (
            "min_length",
            rule.min_length is not None and size < rule.min_length,
            f"is shorter than {rule.min_length}",
        ),
        (
            "max_length",
            rule.max_length is not None and size > rule.max_length,
            f"is longer than {rule.max_length}",
        ),
        (
            "min_items",
            rule.min_items is not None and len(items) < rule.min_items,
            f"has under {rule.min_items} items",
        ),
        (
            "minimum",
            rule.minimum is not None and (number is None or number < rule.minimum),
            f"is below {rule.minimum}",
        ),
        (
            "maximum",
            rule.maximum is not None and (number is None or number > rule.maximum),
            f"is over {rule.maximum}",
        ),
        ("item_keys", lacking is not None, f"has an item without {lacking}"),
        ("allowed", bool(rule.allowed) and value not in rule.allowed, "is not one of the allowed values"),
    )
    return next(((name, words) for name, failed, words in checks if failed), None)
