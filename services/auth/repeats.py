"""Same request id, same answer: what was answered once is kept and given again.

The row is claimed before the work, in the work's own transaction: a second call with the same id waits
for the first on both databases, and finds its answer or, when the first failed, does the work itself.
Answers are kept without any token.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from services.auth import tables
from services.auth.models import Tenant, User, Workspace
from services.auth.store import insert_missing
from services.core.errors import InvalidInputError
from services.runtime.identity import Role

KEPT_SECONDS: Final = 7 * 24 * 60 * 60
LONGEST_ID: Final = 128


T = TypeVar("T", Tenant, User, Workspace)


@dataclasses.dataclass(frozen=True)
class Repeat:
    """One request: its id ("" asks for no protection), whose it is, its method and what it asks for."""

    request_id: str
    tenant_id: str
    method: str
    content: tuple[object, ...]

    @property
    def fingerprint(self) -> bytes:
        """Give a hash that differs where the request does."""
        return hashlib.sha256(json.dumps(self.content, default=str).encode()).digest()


def once(tx: sa.Connection, repeat: Repeat, now: int, kind: type[T], do: Callable[[], T]) -> T:
    """Do the work, or give the earlier answer to the same request.

    Raises InvalidInputError when the id was used for another request.
    """
    if not repeat.request_id:
        return do()
    if len(repeat.request_id) > LONGEST_ID:
        raise InvalidInputError(f"request_id has more than {LONGEST_ID} characters", remedy="make a shorter one")
    if _claim(tx, repeat, now):
        answer = do()
        text = json.dumps(dataclasses.asdict(answer))
        tx.execute(sa.update(tables.requests).where(*_at(repeat)).values(answer=text))
        return answer
    row = tx.execute(sa.select(tables.requests).where(*_at(repeat))).one()
    if bytes(row.fingerprint) != repeat.fingerprint:
        raise InvalidInputError(
            f"request_id {repeat.request_id[:40]!r} was used for another request",
            remedy="make a new id for every request",
            reason="REQUEST_ID_REUSED",
        )
    return _load(kind, row.answer)


def _claim(tx: sa.Connection, repeat: Repeat, now: int) -> bool:
    table = tables.requests
    tx.execute(sa.delete(table).where(table.c.tenant_id == repeat.tenant_id, table.c.created_at < now - KEPT_SECONDS))
    values = {
        "tenant_id": repeat.tenant_id,
        "method": repeat.method,
        "request_id": repeat.request_id,
        "fingerprint": repeat.fingerprint,
        "answer": "",
        "created_at": now,
    }
    return insert_missing(tx, table, values)


def _at(repeat: Repeat) -> tuple[sa.ColumnElement[bool], ...]:
    row = tables.requests.c
    return (
        row.tenant_id == repeat.tenant_id,
        row.method == repeat.method,
        row.request_id == repeat.request_id,
    )


def _load(kind: type[T], text: str) -> T:
    values: dict[str, Any] = json.loads(text)
    if "role" in values:
        values["role"] = Role(values["role"])
    return kind(**values)
