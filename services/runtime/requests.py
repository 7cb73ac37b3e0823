"""Same request id, same answer: what every mutating call does with its ``request_id``.

The row is claimed before the work, in the work's own transaction: a second call with the same id waits for
the first on both databases, and finds its answer or, when the first failed, does the work itself.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.core.errors import InvalidInputError

KEPT_SECONDS: Final = 7 * 24 * 60 * 60
LONGEST_ID: Final = 128


@dataclass(frozen=True)
class Repeat:
    """One request: its id ("" asks for no protection), whose it is, its method, and what it asks for as bytes."""

    request_id: str
    tenant_id: str
    method: str
    content: bytes

    @property
    def fingerprint(self) -> bytes:
        """Give a hash that differs where the request does."""
        return hashlib.sha256(self.content).digest()


def requests_table(metadata: sa.MetaData) -> sa.Table:
    """Add the table of given answers to a service's tables."""
    return sa.Table(
        "requests",
        metadata,
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("method", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def once(tx: sa.Connection, table: sa.Table, repeat: Repeat, now: int, do: Callable[[], bytes]) -> bytes:
    """Do the work and keep its answer, or give the answer that the same request got before.

    Raises InvalidInputError when the id was used for another request. Answers are kept KEPT_SECONDS.
    """
    if not repeat.request_id:
        return do()
    if len(repeat.request_id) > LONGEST_ID:
        raise InvalidInputError(f"request_id has more than {LONGEST_ID} characters", remedy="make a shorter one")
    tx.execute(sa.delete(table).where(table.c.tenant_id == repeat.tenant_id, table.c.created_at < now - KEPT_SECONDS))
    mine = {"tenant_id": repeat.tenant_id, "method": repeat.method, "request_id": repeat.request_id}
    at = [table.c[name] == value for name, value in mine.items()]
    claim = {**mine, "fingerprint": repeat.fingerprint, "answer": b"", "created_at": now}
    if insert_missing(tx, table, claim):
        answer = do()
        tx.execute(sa.update(table).where(*at).values(answer=answer))
        return answer
    return _given(tx.execute(sa.select(table).where(*at)).one(), repeat)


def recall(tx: sa.Connection, table: sa.Table, repeat: Repeat) -> bytes | None:
    """Give the answer that a request got before, without doing anything; None where there is none.

    For work that is too long for one transaction: it ends in one that calls ``once``.
    """
    if not repeat.request_id:
        return None
    mine = {"tenant_id": repeat.tenant_id, "method": repeat.method, "request_id": repeat.request_id}
    row = tx.execute(sa.select(table).where(*(table.c[name] == value for name, value in mine.items()))).first()
    return None if row is None else _given(row, repeat)


def _given(row: sa.Row[Any], repeat: Repeat) -> bytes:
    if bytes(row.fingerprint) != repeat.fingerprint:
        raise InvalidInputError(
            f"request_id {repeat.request_id[:40]!r} was used for another request",
            remedy="make a new id for every request",
            reason="REQUEST_ID_REUSED",
        )
    return bytes(row.answer)


def insert_missing(tx: sa.Connection, table: sa.Table, values: dict[str, object]) -> bool:
    """Insert a row unless its key is there; wait for whoever is inserting it. Say whether it was inserted."""
    insert = postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)
    # RETURNING, since a driver need not count inserted rows.
    statement = insert.values(values).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return tx.execute(statement).first() is not None
