"""Writes many rows at once: COPY to a temporary table and upsert on PostgreSQL, executemany on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those whose primary key is there. Every row names every column."""
    if not rows:
        return
    names = [column.name for column in table.columns]
    values = [tuple(row[name] for name in names) for row in rows]
    keys = [column.name for column in table.primary_key.columns]
    columns = ", ".join(f'"{name}"' for name in names)
    updates = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    action = f"DO UPDATE SET {updates}" if updates else "DO NOTHING"
    conflict = f"ON CONFLICT ({', '.join(keys)}) {action}"
    # Names come from the table's own definition, never from outside.
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks}) {conflict}'  # noqa: S608
        connection.exec_driver_sql(statement, values)
        return
    temporary = f"incoming_{table.name}"
    connection.exec_driver_sql(f'CREATE TEMP TABLE {temporary} (LIKE "{table.name}") ON COMMIT DROP')
    driver = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    with driver.cursor() as cursor, cursor.copy(f"COPY {temporary} ({columns}) FROM STDIN") as copy:
        for value in values:
            copy.write_row(value)
    connection.exec_driver_sql(
        f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {temporary} {conflict}',  # noqa: S608
    )
    connection.exec_driver_sql(f"DROP TABLE {temporary}")
