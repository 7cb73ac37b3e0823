"""JSON Schema of a collection: what is wrong with a record. Pure; what a schema refers to has to be in it."""

from functools import lru_cache
from typing import Any

import jsonschema_rs

from services.core.errors import InvalidInputError
from services.core.findings import Finding
from services.core.values import Value, escape, loads


def check_schema(schema: bytes) -> None:
    """Raise InvalidInputError when the text is no JSON Schema."""
    if schema:
        _validator(schema)


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


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Any:
    try:
        # A schema from a repository must not make this process read files or addresses of its choice.
        return jsonschema_rs.validator_for(schema.decode(), offline=True)
    except Exception as error:  # noqa: BLE001  jsonschema-rs raises several kinds for a schema that is none
        raise InvalidInputError(
            f"the schema is no JSON Schema: {str(error).splitlines()[0]}",
            remedy="correct the schema; nothing was changed",
        ) from None
