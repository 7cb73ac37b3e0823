"""Records in bulk: out as JSON lines or CSV, and in from JSON lines."""

from collections.abc import AsyncIterator
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from gateway import convert, models
from gateway.api.records import Filtered
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import LONG_SECONDS, Services, call, stream
from gateway.record_lines import Columns, csv_line, fields_of, json_line
from gateway.sessions import Caller, SignedIn, Stubs
from protos.sync.v1 import sync_pb2

router = APIRouter(route_class=ExactRoute, tags=["records"])
_PART: Final = 512 * 1024
_TYPES: Final = {"jsonl": "application/jsonl", "csv": "text/csv; charset=utf-8"}


@router.get("/workspaces/{workspace}/record-export", response_class=StreamingResponse)
async def export_records(
    workspace: InWorkspace,  # noqa: ARG001  named in the path; the filters have taken it
    filters: Filtered,
    caller: SignedIn,
    services: Stubs,
    format: Annotated[Literal["jsonl", "csv"], Query(description="JSON lines or CSV.")] = "jsonl",  # noqa: A002
    columns: Annotated[str, Query(description="Names with commas between them; all fields when empty.")] = "",
) -> Response:
    """Give all records that filters let through, as they are at one moment, as JSON lines or as CSV.

    A JSON line is ``{"collection", "id", "revision", "content"}``, which ``record-loads`` takes, or has the columns
    that were asked for. A column is a field, as ``place.town`` or a JSON pointer, or with ``@`` before it something
    of the record (``@id``, ``@state``, ``@updated_at`` and so on). In CSV a text that begins like a formula has an
    apostrophe before it, so that a spreadsheet takes it for text.
    """
    chosen = Columns([name.strip() for name in columns.split(",")]) if columns else None
    lines = _csv(services, caller, filters, chosen) if format == "csv" else _jsonl(services, caller, filters, chosen)
    # The first line is waited for: what fails at once keeps its status.
    first = await anext(lines, b"")
    return StreamingResponse(
        _joined(first, lines),
        media_type=_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="records.{format}"', "Cache-Control": "no-store"},
    )


@router.post("/workspaces/{workspace}/record-loads", response_model=models.RecordLoad)
async def load_records(
    request: Request,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: Annotated[str, Query(description="Of lines that name none.")] = "",
    plan: Annotated[bool, Query(description="Only say what would be done.")] = False,  # noqa: FBT002
    revision: Annotated[int, Query(ge=0, description="Of the database, as the plan named it; 0 takes any.")] = 0,
) -> Response:
    """Add and change records by the lines of a file, all of them or none; the body is the file, as JSON lines.

    A line ``{"collection", "id", "revision", "content"}`` says which record gets which content (only content has to be
    there, and an id in it or beside it); any other object is itself the content. Plan first: the answer names the
    revision of the database, and loading with that revision is refused (409, ``PLAN_MOVED``) when it moved.
    """
    header = sync_pb2.LoadRecordsRequest.Header(
        workspace_id=workspace.id,
        collection=collection,
        plan=plan,
        expected_revision=revision,
        request_id=caller.request_id,
    )
    loaded = await call(services.sync.LoadRecords, _parts(header, request), caller.identity, LONG_SECONDS)
    return answer(convert.record_load(loaded))


async def _parts(
    header: sync_pb2.LoadRecordsRequest.Header, request: Request
) -> AsyncIterator[sync_pb2.LoadRecordsRequest]:
    yield sync_pb2.LoadRecordsRequest(header=header)
    waiting = b""
    async for chunk in request.stream():
        waiting += chunk
        while len(waiting) >= _PART:
            yield sync_pb2.LoadRecordsRequest(data=waiting[:_PART])
            waiting = waiting[_PART:]
    if waiting:
        yield sync_pb2.LoadRecordsRequest(data=waiting)


async def _jsonl(
    services: Services, caller: Caller, filters: sync_pb2.ExportRecordsRequest, columns: Columns | None
) -> AsyncIterator[bytes]:
    async for message in stream(services.sync.ExportRecords, filters, caller.identity):
        yield b"".join(json_line(record, columns) for record in message.records)


async def _csv(
    services: Services, caller: Caller, filters: sync_pb2.ExportRecordsRequest, columns: Columns | None
) -> AsyncIterator[bytes]:
    if columns is None:
        # Which fields there are shows only at the end: the records are gone through twice.
        known: dict[str, None] = {}
        async for message in stream(services.sync.ExportRecords, filters, caller.identity):
            for record in message.records:
                fields_of(record, known)
        columns = Columns(["@collection", "@id", *(name for name in known if name != "/id")])
    yield csv_line(columns.headings)
    async for message in stream(services.sync.ExportRecords, filters, caller.identity):
        yield b"".join(csv_line(columns.values(record)) for record in message.records)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
