"""Protobuf messages to API models, and back."""

from typing import Any, Final

from gateway import models
from protos.auth.v1 import auth_pb2
from protos.pr.v1 import pr_pb2
from protos.sync.v1 import sync_pb2
from services.core.values import Value, dumps, loads

FORGES: Final = {
    "plain": auth_pb2.FORGE_PLAIN,
    "github": auth_pb2.FORGE_GITHUB,
    "gitlab": auth_pb2.FORGE_GITLAB,
}
ROLES: Final = {
    "viewer": auth_pb2.ROLE_VIEWER,
    "editor": auth_pb2.ROLE_EDITOR,
    "reviewer": auth_pb2.ROLE_REVIEWER,
    "admin": auth_pb2.ROLE_ADMIN,
    "operator": auth_pb2.ROLE_OPERATOR,
}
KEY_KINDS: Final = {
    "ssh": auth_pb2.KEY_KIND_SSH,
    "signing": auth_pb2.KEY_KIND_SIGNING,
}
ID_RULES: Final = {
    "field": sync_pb2.ID_RULE_FIELD,
    "stem": sync_pb2.ID_RULE_STEM,
    "path": sync_pb2.ID_RULE_PATH,
}
SYNC_STATES: Final = {
    "synced": sync_pb2.SYNC_STATE_SYNCED,
    "pending": sync_pb2.SYNC_STATE_PENDING,
    "proposed": sync_pb2.SYNC_STATE_PROPOSED,
    "conflict": sync_pb2.SYNC_STATE_CONFLICT,
}
RUN_STATES: Final = {
    "running": sync_pb2.RUN_STATE_RUNNING,
    "succeeded": sync_pb2.RUN_STATE_SUCCEEDED,
    "failed": sync_pb2.RUN_STATE_FAILED,
    "planned": sync_pb2.RUN_STATE_PLANNED,
    "undone": sync_pb2.RUN_STATE_UNDONE,
}
PUBLICATION_STATES: Final = {
    name.removeprefix("PUBLICATION_STATE_").lower(): number
    for name, number in pr_pb2.PublicationState.items()
    if number
}
REVIEW_STATES: Final = {
    "unreviewed": sync_pb2.REVIEW_STATE_UNREVIEWED,
    "reserved": sync_pb2.REVIEW_STATE_RESERVED,
    "validated": sync_pb2.REVIEW_STATE_VALIDATED,
    "rejected": sync_pb2.REVIEW_STATE_REJECTED,
}


def name_of(names: dict[str, Any], number: int, default: str) -> Any:
    """Give the name of an enum's number."""
    return next((name for name, known in names.items() if known == number), default)


def shown(path: bytes) -> str:
    """Give a path for people: bytes that are no UTF-8 come as escapes."""
    return path.decode("utf-8", "backslashreplace")


def value(data: bytes) -> Any:
    """Give the value in JSON bytes; None when empty."""
    return loads(data) if data else None


def workspace(message: auth_pb2.Workspace) -> models.Workspace:
    """Give the model of a workspace."""
    return models.Workspace(
        id=message.id,
        name=message.name,
        repo=message.repository_url,
        branch=message.branch,
        upstream=message.upstream_url,
        forge=name_of(FORGES, message.forge, "plain"),
        has_credential=message.has_credential,
        created_at=message.created_at,
        ssh_key=message.ssh_public_key,
        signing_key=message.signing_public_key,
        partial_clone=message.partial_clone,
        poll_seconds=message.poll_seconds if message.HasField("poll_seconds") else None,
    )


def collection(message: sync_pb2.Collection) -> models.Collection:
    """Give the model of a collection."""
    return models.Collection(
        id=message.id,
        name=message.name,
        path=message.path,
        include=list(message.include),
        exclude=list(message.exclude),
        id_rule=name_of(ID_RULES, message.id_rule, "field"),
        new_path=message.new_path,
        schema_=value(message.schema),
        quality=value(message.quality),
        merge=value(message.merge),
        review="required" if message.review_required else "off",
        schema_path=message.schema_path,
        schema_blob=message.schema_blob,
        brake=models.Brake(records=message.brake.records, percent=message.brake.percent),
    )


def collection_message(model: models.NewCollection, collection_id: str = "") -> sync_pb2.Collection:
    """Give the message of a collection's settings."""
    return sync_pb2.Collection(
        id=collection_id,
        name=model.name,
        path=model.path.strip("/"),
        include=model.include,
        exclude=model.exclude,
        id_rule=ID_RULES[model.id] if model.id else sync_pb2.ID_RULE_UNSPECIFIED,
        new_path=model.new_path,
        schema=b"" if model.schema_ is None else dumps(model.schema_),
        quality=b"" if model.quality is None else dumps(model.quality),
        merge=b"" if model.merge is None else dumps(model.merge),
        review_required=model.review == "required",
        schema_path=model.schema_path,
        brake=sync_pb2.Brake(**(model.brake.model_dump(exclude_none=True) if model.brake else {})),
    )


def record(message: sync_pb2.Record, base_content: bytes = b"") -> models.Record:
    """Give the model of a record."""
    return models.Record(
        id=message.id,
        collection=message.collection,
        path=shown(message.path),
        title=message.title,
        revision=message.revision,
        state=name_of(SYNC_STATES, message.state, "synced"),
        deleted=message.deleted,
        quality=None if message.quality < 0 else message.quality,
        publication_id=message.publication_id,
        base_blob=message.base_blob,
        file_quarantined=message.file_quarantined,
        updated_by=message.updated_by,
        updated_at=message.updated_at,
        content=value(message.content),
        base=value(base_content),
        review=review(message.review) if message.HasField("review") else None,
        findings=[finding(item) for item in message.findings],
    )


def review(message: sync_pb2.Review) -> models.Review:
    """Give the model of a record's review."""
    return models.Review(
        state=name_of(REVIEW_STATES, message.state, "unreviewed"),
        by=message.by,
        until=message.until or None,
        reason=message.reason,
        time=message.time or None,
    )


def polling(message: sync_pb2.Polling) -> models.Polling:
    """Give the model of how a remote is looked at."""
    return models.Polling(
        every_seconds=None if message.every_seconds < 0 else message.every_seconds,
        last_poll=message.last_poll or None,
        next_poll=message.next_poll or None,
        error=message.error,
        needs_person=message.needs_person,
        failures=message.failures,
    )


def revision(message: sync_pb2.Revision) -> models.Revision:
    """Give the model of a record's version."""
    return models.Revision(
        revision=message.revision,
        reason=message.reason,
        author=message.author,
        time=message.time,
        changed=list(message.changed),
        changes=[
            models.FieldChange(
                field=change.pointer,
                before=value(change.before),
                after=value(change.after),
                was_there=bool(change.before),
                is_there=bool(change.after),
            )
            for change in message.changes
        ],
        content=value(message.content),
    )


def record_load(message: sync_pb2.LoadRecordsResponse) -> models.RecordLoad:
    """Give the model of what a file of records does."""
    return models.RecordLoad(
        revision=message.revision,
        applied=message.applied,
        created=message.created,
        updated=message.updated,
        unchanged=message.unchanged,
        invalid=message.invalid,
        lines=[
            models.LoadedLine(
                line=line.line,
                action=line.action,
                record=line.record_id,
                collection=line.collection,
                changed=list(line.changed),
                message=line.message,
            )
            for line in message.lines
        ],
    )


def finding(message: sync_pb2.Finding) -> models.Finding:
    """Give the model of a finding."""
    return models.Finding(
        record=message.record_id,
        pointer=message.pointer,
        rule=message.rule,
        message=message.message,
        error=message.error,
    )


def validation(message: sync_pb2.ValidateRecordsResponse) -> models.Validation:
    """Give the model of what schemas and rules find."""
    return models.Validation(
        checked=message.checked,
        passed=message.passed,
        findings=[finding(item) for item in message.findings],
        scores=[
            models.Score(record=item.record_id, collection=item.collection, quality=item.quality)
            for item in message.scores
        ],
    )


def run(message: sync_pb2.Run) -> models.Run:
    """Give the model of an import."""
    counts = message.counts
    return models.Run(
        id=message.id,
        kind=message.kind,
        state=name_of(RUN_STATES, message.state, "running"),
        commit=message.commit_oid,
        old_commit=message.old_commit_oid,
        counts=models.Counts(**{name: getattr(counts, name) for name in models.Counts.model_fields}),
        error=message.error,
        notes=list(message.notes),
        started_by=message.started_by,
        started_at=message.started_at,
        finished_at=message.finished_at,
    )


def status(message: sync_pb2.GetSyncStatusResponse, open_pull_requests: int) -> models.Status:
    """Give the model of a workspace's standing."""
    return models.Status(
        in_sync=message.in_sync,
        remote_commit=message.remote_commit,
        imported_commit=message.imported_commit,
        commits_behind=None if message.commits_behind < 0 else message.commits_behind,
        pending=message.pending,
        proposed=message.proposed,
        conflicts=message.conflicts,
        quarantined=message.quarantined,
        records=message.records,
        last_sync=message.last_sync or None,
        open_pull_requests=open_pull_requests,
        polling=polling(message.polling),
    )


def quarantined(message: sync_pb2.QuarantinedFile) -> models.QuarantinedFile:
    """Give the model of a file in quarantine."""
    return models.QuarantinedFile(
        path=shown(message.path),
        collection=message.collection,
        rule=message.rule,
        line=message.line,
        column=message.column,
        pointer=message.pointer,
        message=message.message,
        blob=message.blob,
        other_paths=[shown(path) for path in message.other_paths],
    )


def quarantined_text(message: sync_pb2.GetQuarantinedFileResponse) -> models.QuarantinedText:
    """Give the model of a file in quarantine with the text around its line."""
    return models.QuarantinedText(
        **quarantined(message.file).model_dump(),
        excerpt=list(message.excerpt),
        excerpt_line=message.excerpt_line,
        excerpt_column=message.excerpt_column,
    )


def publication(message: pr_pb2.Publication) -> models.Publication:
    """Give the model of a publication."""
    return models.Publication(
        id=message.id,
        workspace_id=message.workspace_id,
        state=name_of(PUBLICATION_STATES, message.state, "requested"),
        branch=message.branch,
        base=message.base_oid,
        commit=message.commit_oid,
        pr_number=message.pr_number,
        pr_url=message.pr_url,
        title=message.title,
        body=message.body,
        events_count=message.records_count,
        merged_count=message.merged_count,
        created_by=message.created_by,
        created_at=message.created_at,
        updated_at=message.updated_at,
        error=message.error,
        items=[_item(item) for item in message.items],
        review_override=message.review_override,
        awaiting_review=list(message.awaiting_review),
    )


def _item(message: pr_pb2.PublicationItem) -> models.PublicationItem:
    return models.PublicationItem(
        record=message.record_id,
        collection=message.collection,
        revision=message.revision,
        path=shown(message.path),
        action=message.action,
        blob=message.blob_oid,
        merged_at=message.merged_at,
        title=message.title,
        review=message.review,
    )


def user(message: auth_pb2.User) -> models.User:
    """Give the model of a user."""
    return models.User(
        id=message.id,
        username=message.username,
        name=message.name,
        email=message.email,
        role=name_of(ROLES, message.role, "viewer"),
        created_at=message.created_at,
    )


def tenant(message: auth_pb2.Tenant) -> models.Tenant:
    """Give the model of a tenant."""
    return models.Tenant(id=message.id, name=message.name, created_at=message.created_at)


def session(message: auth_pb2.Session) -> models.Session:
    """Give the model of a session."""
    return models.Session(
        id=message.id,
        label=message.label,
        created_at=message.created_at,
        expires_at=message.expires_at,
    )


def progress(message: Any) -> dict[str, Value]:
    """Give the value of a progress message."""
    return {"phase": message.phase, "done": message.done, "total": message.total, "message": message.message}
