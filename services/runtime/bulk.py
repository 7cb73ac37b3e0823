"""Writes many rows at once: COPY to a temporary table and upsert on PostgreSQL, executemany on SQLite."""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa


def insert(
    connection: sa.Connection,
    table: sa.Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Insert new rows: the values of the named columns of each; the others get their server default."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_insert(table, names), list(rows))
    else:
        _copy(connection, f'"{table.name}"', names, rows)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those whose primary key is there. Every row names every column."""
    if not rows:
        return
    names, values = _values(table, rows)
    keys = [column.name for column in table.primary_key.columns]
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    action = f"DO UPDATE SET {updates}" if updates else "DO NOTHING"
    conflict = f"ON CONFLICT ({', '.join(keys)}) {action}"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{_insert(table, names)} {conflict}", values)
        return
    incoming, columns = f"incoming_{table.name}", _columns(names)
    connection.exec_driver_sql(f'CREATE TEMP TABLE {incoming} (LIKE "{table.name}") ON COMMIT DROP')
    _copy(connection, incoming, names, values)
    connection.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {incoming} {conflict}',  # noqa: S608
    )
    connection.exec_driver_sql(f"DROP TABLE {incoming}")


# Names come from the table's own definition, never from outside.


def _values(table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[tuple[Any, ...]]]:
    names = [column.name for column in table.columns]
    pick = itemgetter(*names)
    return names, [pick(row) for row in rows]


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _insert(table: sa.Table, names: Sequence[str]) -> str:
    marks = ", ".join("?" * len(names))
    return f'INSERT INTO "{table.name}" ({_columns(names)}) VALUES ({marks})'  # noqa: S608


def _copy(connection: sa.Connection, into: str, names: Sequence[str], values: Sequence[tuple[Any, ...]]) -> None:
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    with driver.cursor() as cursor, cursor.copy(f"COPY {into} ({_columns(names)}) FROM STDIN") as copy:
        for value in values:
            copy.write_row(value)
