"""Conditions on fields and orders by fields, as SQL over the content of records.

PostgreSQL reads the content as ``jsonb`` through the functions ``record_json`` and ``record_sort`` of the migration;
SQLite calls ``services.core.filters`` itself, for its own JSON functions know neither exact numbers nor all names of
fields. Whatever a person wrote travels as a parameter.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.core.filters import Condition, condition_of, matches, sort_text
from services.core.values import dumps
from services.core.words import read
from services.sync.tables import records

_REGISTERED: Final = "record_functions"


def holds(tx: sa.Connection, texts: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """Give the SQL of conditions; raise InvalidInputError for one that cannot be read."""
    conditions = [condition_of(text) for text in texts]
    if not conditions:
        return []
    if tx.dialect.name == "postgresql":
        return [_holds(condition) for condition in conditions]
    _register(tx)
    return [sa.func.record_matches(records.c.content, json.dumps(list(texts))) == sa.literal(1)]


def sorted_by(tx: sa.Connection, path: tuple[str, ...]) -> sa.ColumnElement[str]:
    """Give the SQL of a text that sorts records by a field; see ``filters.sort_text``."""
    if tx.dialect.name == "postgresql":
        text: sa.ColumnElement[str] = sa.func.record_sort(records.c.content, _path(path), type_=sa.Text())
        return sa.collate(text, "C")
    _register(tx)
    return sa.func.record_sort(records.c.content, json.dumps(path), type_=sa.Text())


def _holds(condition: Condition) -> sa.ColumnElement[bool]:
    field = sa.func.record_json(records.c.content, type_=postgresql.JSONB()).op("#>")(_path(condition.path))
    found = sa.func.coalesce(_compared(field, condition), sa.false())
    return sa.not_(found) if condition.negated else found


def _compared(field: sa.ColumnElement[Any], condition: Condition) -> sa.ColumnElement[bool]:
    operator = condition.operator
    if operator == "exists":
        return field.is_not(None)
    wanted = sa.cast(sa.literal(dumps(condition.value).decode(), sa.Text()), postgresql.JSONB())
    if operator in ("=", "!="):
        same = sa.func.coalesce(field.op("=", is_comparison=True)(wanted), sa.false())
        return same if operator == "=" else sa.not_(same)
    kind = sa.func.jsonb_typeof(field)
    if operator == "contains":
        in_list = (kind == "array", field.op("@>", is_comparison=True)(wanted))
        if not isinstance(condition.value, str):
            return sa.case(in_list)
        text = field.op("#>>")(_path(()))
        return sa.case((kind == "string", sa.func.strpos(text, condition.value) > 0), in_list)
    # jsonpath compares numbers exactly and texts by code points, and nothing else with anything; strict does not
    # look into lists. The operator is one of ours.
    path = sa.cast(f"strict $ ? (@ {operator} $wanted)", postgresql.JSONPATH())
    return sa.func.jsonb_path_exists(field, path, sa.func.jsonb_build_object("wanted", wanted), True)  # noqa: FBT003


def _path(path: tuple[str, ...]) -> sa.ColumnElement[Any]:
    return sa.cast(sa.literal(list(path), postgresql.ARRAY(sa.Text())), postgresql.ARRAY(sa.Text()))


def _register(tx: sa.Connection) -> None:
    """Teach a SQLite connection the functions, once."""
    if _REGISTERED in tx.info:
        return
    driver: Any = tx.connection.driver_connection
    driver.create_function("record_matches", 2, _record_matches, deterministic=True)
    driver.create_function("record_sort", 2, _record_sort, deterministic=True)
    tx.info[_REGISTERED] = True


def _record_matches(content: str, texts: str) -> bool:
    return matches(read(content), _conditions(texts))


def _record_sort(content: str, path: str) -> str:
    return sort_text(read(content), _keys(path))


@lru_cache(maxsize=256)
def _conditions(texts: str) -> list[Condition]:
    return [condition_of(text) for text in json.loads(texts)]


@lru_cache(maxsize=256)
def _keys(path: str) -> tuple[str, ...]:
    return tuple(json.loads(path))
