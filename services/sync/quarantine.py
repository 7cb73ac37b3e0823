"""Files that could not become records: pages of them, and the text around the place that is wrong."""

from contextlib import AbstractContextManager
from typing import Any, Final

import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import NotFoundError
from services.runtime import paging
from services.sync import convert, inbox_store, listing, store
from services.sync.git_client import GitClient
from services.sync.store import Scope
from services.sync.tables import quarantine

LINES_AROUND: Final = 3
WIDTH: Final = 160


def page(tx: sa.Connection, scope: Scope, request: sync_pb2.ListQuarantineRequest) -> sync_pb2.ListQuarantineResponse:
    """Give a page of the quarantine: what the filters of the request take."""
    filters = []
    if request.collection:
        chosen = store.find_collection(tx, scope, request.collection).collection.id
        filters.append(quarantine.c.collection_id == chosen)
    if request.rule:
        filters.append(quarantine.c.rule == request.rule)
    size = paging.size(request.page_size)
    rows, token = inbox_store.list_quarantine(tx, scope, size, request.page_token, filters)
    known = listing.names(tx, scope)
    return sync_pb2.ListQuarantineResponse(
        files=[convert.quarantine_message(row, known.get(row.collection_id, "")) for row in rows],
        next_page_token=token,
        total=0 if request.page_token else inbox_store.count_quarantine(tx, scope, filters),
    )


def file(
    reading: AbstractContextManager[tuple[sa.Connection, Scope]],
    git: GitClient,
    request: sync_pb2.GetQuarantinedFileRequest,
) -> sync_pb2.GetQuarantinedFileResponse:
    """Give one file with the lines around the marked one; raise NotFoundError when it is not in quarantine.

    Git is asked when the database has been left.
    """
    with reading as (tx, scope):
        row, name = _find(tx, scope, request)
    answer = sync_pb2.GetQuarantinedFileResponse(file=convert.quarantine_message(row, name))
    data = next((blob.data for blob in git.read_blobs(scope, [row.blob])), None) if row.line and row.blob else None
    if data is not None:
        lines, first, column = excerpt(data, row.line, row.column)
        answer.excerpt.extend(lines)
        answer.excerpt_line, answer.excerpt_column = first, column
    return answer


def excerpt(data: bytes, line: int, column: int) -> tuple[list[str], int, int]:
    """Give the lines around a place, the number of the first, and the column in the line as it is shown.

    ``line`` and ``column`` count from 1. A line that is longer than ``WIDTH`` is cut, the marked one around
    its place.
    """
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").split("\n")
    if not lines[-1] and line < len(lines):
        lines.pop()  # what follows the final newline is no line, unless the place is there
    first = max(line - LINES_AROUND, 1)
    shown = lines[first - 1 : line + LINES_AROUND]
    begin = column - 1 - WIDTH // 2 if column > WIDTH else 0
    cut = [_shown(text, begin if first + number == line else 0) for number, text in enumerate(shown)]
    return cut, first, column - begin if column else 0


def _shown(text: str, begin: int) -> str:
    part = text.removesuffix("\r")[begin : begin + WIDTH]
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in part)


def _find(tx: sa.Connection, scope: Scope, request: sync_pb2.GetQuarantinedFileRequest) -> tuple[sa.Row[Any], str]:
    filters = [quarantine.c.path == request.path]
    if request.collection:
        chosen = store.find_collection(tx, scope, request.collection).collection.id
        filters.append(quarantine.c.collection_id == chosen)
    rows, _ = inbox_store.list_quarantine(tx, scope, 1, "", filters)
    if not rows:
        raise NotFoundError(
            f"the file '{request.path.decode('utf-8', 'replace')}' is not in quarantine",
            remedy="`lockstep quarantine list` shows what is, by its path from the root of the repository",
        )
    return rows[0], listing.names(tx, scope).get(rows[0].collection_id, "")
