"""Plans of publications and imports to API models."""

from typing import Any

from gateway import models
from gateway.convert import run, shown, value
from gateway.plan_name import PlanName
from protos.pr.v1 import pr_pb2
from protos.sync.v1 import sync_pb2


def publication_plan(head: pr_pb2.PublicationPlan, files: list[pr_pb2.PlannedFile]) -> models.PublicationPlan:
    """Give the model of a plan and its files."""
    return models.PublicationPlan(
        plan=str(PlanName(head.target_oid, head.revision)),
        target=head.target_oid,
        revision=head.revision,
        base=head.base_oid,
        branch=head.branch,
        title=head.title,
        body=head.body,
        records_count=head.records_count,
        files=[_file(file) for file in files],
        left_out=[
            models.LeftOut(record=one.record_id, collection=one.collection, why=one.why, message=one.message)
            for one in head.left_out
        ],
        left_out_count=head.left_out_count,
        checks=[models.Check(name=one.name, passed=one.passed, message=one.message) for one in head.checks],
    )


def _file(file: pr_pb2.PlannedFile) -> models.PlannedFile:
    return models.PlannedFile(
        record=file.item.record_id,
        collection=file.item.collection,
        revision=file.item.revision,
        path=shown(file.item.path),
        action=file.item.action,
        title=file.item.title,
        review=file.item.review,
        diff=file.diff.decode(errors="replace"),
        diff_cut=file.diff_cut,
    )


def import_run(message: sync_pb2.Run) -> models.ImportRun:
    """Give the model of an import that has just ended, or of a plan of one."""
    planned = message.state == sync_pb2.RUN_STATE_PLANNED
    plan = str(PlanName(message.commit_oid, message.revision)) if planned else ""
    shown_run = run(message).model_dump()
    return models.ImportRun(**shown_run, revision=message.revision, plan=plan, changes=[], changes_count=0)


def planned_change(message: sync_pb2.PlannedChange) -> models.PlannedChange:
    """Give the model of what an import would do to a record or file."""
    kind: Any = message.kind
    return models.PlannedChange(
        collection=message.collection,
        record=message.record_id,
        kind=kind,
        path=shown(message.path),
        old_path=shown(message.old_path),
        title=message.title,
        fields=[_planned_field(field) for field in message.fields],
        fields_left_out=message.fields_left_out,
        rule=message.rule,
        message=message.message,
        merged=message.merged,
    )


def _planned_field(message: sync_pb2.PlannedField) -> models.PlannedField:
    sides = {"before": message.before, "after": message.after, "theirs": message.theirs}
    return models.PlannedField(
        field=message.pointer,
        conflict=message.conflict,
        absent=[name for name, data in sides.items() if not data],
        **{name: value(data) for name, data in sides.items()},
    )
