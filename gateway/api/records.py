"""Records: list, read, add, change, delete, validate, history.

An id may hold slashes: it is the last part of its address, percent-encoded.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway import convert, models
from gateway.api.scope import InWorkspace
from gateway.exact import ExactRoute, answer
from gateway.grpc_clients import call
from gateway.sessions import SignedIn, Stubs
from protos.sync.v1 import sync_pb2
from services.core.errors import InvalidInputError
from services.core.values import dumps

router = APIRouter(route_class=ExactRoute, tags=["records"])
MAX_PAGE = 1000
MAX_FILE_BYTES = 7 * 1024 * 1024

CollectionName = Annotated[str, Query(description="Name; needed only where several collections have the id.")]
PageSize = Annotated[int, Query(ge=1, le=MAX_PAGE)]


async def filtered(
    workspace: InWorkspace,
    collection: Annotated[str, Query(description="Only this collection, by name.")] = "",
    state: models.SyncStateName | None = None,
    query: Annotated[
        str, Query(description="Words that have to be in the record, in any case; word* is the beginning of one.")
    ] = "",
    where: Annotated[
        list[str] | None,
        Query(
            description="Conditions that all have to hold: FIELD OP VALUE with = != < <= > >= or contains, FIELD "
            "exists, or not before these; for example importance>=8 or place.town = Ayr."
        ),
    ] = None,
    sort: Annotated[
        str,
        Query(description="id (by collection, then id), title, updated_at, quality or a field; - before it turns it."),
    ] = "",
) -> sync_pb2.ExportRecordsRequest:
    """Give the filters of a request."""
    return sync_pb2.ExportRecordsRequest(
        workspace_id=workspace.id,
        collection=collection,
        state=convert.SYNC_STATES[state] if state else sync_pb2.SYNC_STATE_UNSPECIFIED,
        query=query,
        where=where or (),
        sort=sort,
    )


Filtered = Annotated[sync_pb2.ExportRecordsRequest, Depends(filtered)]


@router.get("/workspaces/{workspace}/records", response_model=models.RecordPage)
async def list_records(
    workspace: InWorkspace,
    filters: Filtered,
    caller: SignedIn,
    services: Stubs,
    content: bool = False,  # noqa: FBT001, FBT002  a query parameter
    reasons: Annotated[bool, Query(description="Say what keeps quality from being 10.")] = False,  # noqa: FBT002
    total: Annotated[bool, Query(description="Count over all pages, which takes longer.")] = False,  # noqa: FBT002
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List records; by collection and id unless sorted otherwise.

    Only values of one kind compare: numbers with numbers, texts with texts. A page goes on where the one before ended,
    whatever has changed meanwhile.
    """
    request = sync_pb2.ListRecordsRequest(
        workspace_id=workspace.id,
        collection=filters.collection,
        state=filters.state,
        query=filters.query,
        where=filters.where,
        sort=filters.sort,
        with_content=content,
        with_total=total,
        with_findings=reasons,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.sync.ListRecords, request, caller.identity)
    records = [convert.record(item) for item in found.records]
    number = None if found.total < 0 else found.total
    return answer(models.RecordPage(records=records, total=number, next_page=found.next_page_token))


@router.post("/workspaces/{workspace}/records", response_model=models.Record, status_code=201)
async def create_record(body: models.NewRecord, workspace: InWorkspace, caller: SignedIn, services: Stubs) -> Response:
    """Add a record that is in no file yet."""
    request = sync_pb2.CreateRecordRequest(
        workspace_id=workspace.id,
        collection=body.collection,
        record_id=body.id,
        content=dumps(body.content),
        request_id=caller.request_id,
    )
    made = await call(services.sync.CreateRecord, request, caller.identity)
    return answer(convert.record(made.record), 201)


@router.get("/workspaces/{workspace}/records/{record:path}", response_model=models.Record)
async def get_record(
    record: str,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
) -> Response:
    """Read one record with its content and its base, the version last seen in Git."""
    request = sync_pb2.GetRecordRequest(workspace_id=workspace.id, record_id=record, collection=collection)
    found = await call(services.sync.GetRecord, request, caller.identity)
    return answer(convert.record(found.record, found.base_content))


@router.patch("/workspaces/{workspace}/records/{record:path}", response_model=models.Record)
async def change_record(
    record: str,
    body: models.RecordChange,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Change fields of a record, or replace its content."""
    request = sync_pb2.UpdateRecordRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=body.collection,
        edits=[
            sync_pb2.FieldEdit(pointer=edit.pointer, value=b"" if edit.remove else dumps(edit.value))
            for edit in body.edits
        ],
        content=b"" if body.content is None else dumps(body.content),
        expected_revision=body.expected_revision,
        known_fields_only=body.known_fields_only,
        request_id=caller.request_id,
    )
    changed = await call(services.sync.UpdateRecord, request, caller.identity)
    return answer(convert.record(changed.record))


@router.put("/workspaces/{workspace}/record-files/{record:path}", response_model=models.Record)
async def put_record_file(
    record: str,
    request: Request,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
    expected_revision: int = 0,
) -> Response:
    """Replace a record by the text of a file in its own format; the body is the file."""
    data = await request.body()
    if not data or len(data) > MAX_FILE_BYTES:
        raise InvalidInputError("the file is empty or over 7 MiB", remedy="send the record's file as the body")
    message = sync_pb2.UpdateRecordRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=collection,
        file_content=data,
        expected_revision=expected_revision,
        request_id=caller.request_id,
    )
    changed = await call(services.sync.UpdateRecord, message, caller.identity)
    return answer(convert.record(changed.record))


@router.delete("/workspaces/{workspace}/records/{record:path}", status_code=204)
async def delete_record(
    record: str,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
) -> Response:
    """Delete a record; its file goes with the next publication."""
    request = sync_pb2.DeleteRecordRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=collection,
        request_id=caller.request_id,
    )
    await call(services.sync.DeleteRecord, request, caller.identity)
    return Response(status_code=204)


@router.get("/workspaces/{workspace}/record-revisions/{record:path}", response_model=models.RevisionPage)
async def list_revisions(
    record: str,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
    collection: CollectionName = "",
    page_size: PageSize = 50,
    page: str = "",
) -> Response:
    """List the versions of a record, newest first."""
    request = sync_pb2.ListRevisionsRequest(
        workspace_id=workspace.id,
        record_id=record,
        collection=collection,
        page_size=page_size,
        page_token=page,
    )
    found = await call(services.sync.ListRevisions, request, caller.identity)
    revisions = [convert.revision(item) for item in found.revisions]
    return answer(models.RevisionPage(revisions=revisions, next_page=found.next_page_token))


@router.post("/workspaces/{workspace}/validations", response_model=models.Validation)
async def validate_records(
    body: models.ValidationRequest,
    workspace: InWorkspace,
    caller: SignedIn,
    services: Stubs,
) -> Response:
    """Say what the schemas and rules of the collections find wrong."""
    request = sync_pb2.ValidateRecordsRequest(
        workspace_id=workspace.id,
        collection=body.collection,
        record_ids=body.records,
    )
    found = await call(services.sync.ValidateRecords, request, caller.identity)
    return answer(convert.validation(found))
