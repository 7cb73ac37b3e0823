"""Same request id, same answer, for what auth makes. Answers are kept without any token."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any, TypeVar

import sqlalchemy as sa

from services.auth import tables
from services.auth.models import Tenant, User, Workspace
from services.runtime import requests
from services.runtime.identity import Role

T = TypeVar("T", Tenant, User, Workspace)


@dataclasses.dataclass(frozen=True)
class Repeat:
    """One request: its id ("" asks for no protection), whose it is, its method and what it asks for."""

    request_id: str
    tenant_id: str
    method: str
    content: tuple[object, ...]


def once(tx: sa.Connection, repeat: Repeat, now: int, kind: type[T], do: Callable[[], T]) -> T:
    """Do the work, or give the earlier answer to the same request.

    Raises InvalidInputError when the id was used for another request.
    """
    content = json.dumps(repeat.content, default=str).encode()
    request = requests.Repeat(repeat.request_id, repeat.tenant_id, repeat.method, content)
    answer = requests.once(tx, tables.requests, request, now, lambda: json.dumps(dataclasses.asdict(do())).encode())
    values: dict[str, Any] = json.loads(answer)
    if "role" in values:
        values["role"] = Role(values["role"])
    return kind(**values)
