"""Same request id, same answer: what every mutating call does with its ``request_id``."""

from typing import TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from services.core.errors import InvalidInputError

M = TypeVar("M", bound=Message)
MAX_LENGTH = 128


def requests_table(metadata: sa.MetaData) -> sa.Table:
    """Add the table of given answers to a service's tables."""
    return sa.Table(
        "requests",
        metadata,
        sa.Column("tenant_id", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.String(MAX_LENGTH), primary_key=True),
        sa.Column("method", sa.String(64), nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def recall(tx: sa.Connection, table: sa.Table, tenant_id: str, request_id: str, kind: type[M]) -> M | None:
    """Give the answer that a request id got before; None where there was none or no id is given.

    Raises InvalidInputError when the id was used for another kind of request.
    """
    if not request_id:
        return None
    if len(request_id) > MAX_LENGTH:
        raise InvalidInputError("the request id is too long", remedy=f"use at most {MAX_LENGTH} characters")
    row = tx.execute(
        sa.select(table.c.method, table.c.answer).where(
            table.c.tenant_id == tenant_id,
            table.c.request_id == request_id,
        ),
    ).first()
    if row is None:
        return None
    if row.method != kind.DESCRIPTOR.full_name:
        raise InvalidInputError(
            f"the request id '{request_id}' was used for another kind of request",
            remedy="use a new id for each request",
        )
    return kind.FromString(row.answer)


def remember(tx: sa.Connection, table: sa.Table, tenant_id: str, request_id: str, answer: Message, now: int) -> None:
    """Keep the answer to a request in the transaction that did the work."""
    if request_id:
        tx.execute(
            sa.insert(table).values(
                tenant_id=tenant_id,
                request_id=request_id,
                method=answer.DESCRIPTOR.full_name,
                answer=answer.SerializeToString(),
                created_at=now,
            ),
        )
