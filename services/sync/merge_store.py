"""Rows of merges: what an import made of a record with edits of its own, field by field."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from services.core.errors import NotFoundError
from services.core.fields import MISSING, Field, Missing
from services.core.importing import CollectionPlan, as_object
from services.core.merge import Outcome
from services.core.values import Value, dumps, loads
from services.runtime import bulk
from services.sync.store import Scope
from services.sync.tables import merges


def note(tx: sa.Connection, scope: Scope, plan: CollectionPlan, *, run_id: str, commit: str, now: int) -> None:
    """Write what a plan merges; nothing of records in which only one side had changed something."""
    bulk.upsert(
        tx,
        merges,
        [
            {**scope.columns(), "run_id": run_id, "commit": commit, "time": now, **merged}
            for merged in [*_merged(plan), *_lost(plan)]
        ],
    )


def newest(tx: sa.Connection, scope: Scope, key: int, revision: int = 0) -> sa.Row[Any] | None:
    """Give the newest merge of a record, or the one that made a revision; None where there is none."""
    query = sa.select(merges).where(scope.where(merges), merges.c.record_key == key)
    if revision:
        query = query.where(merges.c.revision == revision)
    return tx.execute(query.order_by(merges.c.revision.desc(), merges.c.run_id.desc()).limit(1)).first()


def get(tx: sa.Connection, scope: Scope, record: sa.Row[Any], revision: int) -> sa.Row[Any]:
    """Give the newest merge of a record, or the one that made a revision; raise NotFoundError."""
    found = newest(tx, scope, record.key, revision)
    if found is None:
        what = f"made revision {revision} of" if revision else "met edits of"
        raise NotFoundError(
            f"no merge {what} record '{record.id}'", remedy="`lockstep records history` lists its revisions"
        )
    return found


def outcomes(row: sa.Row[Any]) -> list[Outcome]:
    """Give what a merge made of each field."""
    listed = loads(row.fields.encode())
    return [_outcome(as_object(item)) for item in listed] if isinstance(listed, list) else []


def _merged(plan: CollectionPlan) -> Iterator[Mapping[str, Any]]:
    for upsert in plan.upserts:
        verdicts = {outcome.verdict for outcome in upsert.outcomes}
        if upsert.existing is None or not verdicts or verdicts in ({"ours"}, {"theirs"}):
            continue
        yield {
            "record_key": upsert.existing.key,
            "revision": upsert.existing.revision + upsert.content_changed,
            "old_path": upsert.existing.path if upsert.existing.base_blob else b"",
            "path": upsert.file.path,
            "fields": _text(upsert.outcomes),
        }


def _lost(plan: CollectionPlan) -> Iterator[Mapping[str, Any]]:
    """Give the records whose file went while they had edits."""
    for orphan in plan.orphans:
        if orphan.conflict is None:
            continue
        base, ours = orphan.conflict.base, orphan.conflict.ours
        yield {
            "record_key": orphan.existing.key,
            "revision": orphan.existing.revision,
            "old_path": orphan.existing.path,
            "path": b"",
            "fields": _text((Outcome("", base, ours, MISSING, ours, "conflict"),)),
        }


def _text(found: tuple[Outcome, ...]) -> str:
    listed: list[Value] = []
    for outcome in found:
        sides = {name: getattr(outcome, name) for name in ("base", "ours", "theirs", "result")}
        there = {name: side for name, side in sides.items() if not isinstance(side, Missing)}
        listed.append({"pointer": outcome.pointer, "verdict": outcome.verdict, **there})
    return dumps(listed).decode()


def _outcome(item: dict[str, Value]) -> Outcome:
    sides: dict[str, Field] = {name: item.get(name, MISSING) for name in ("base", "ours", "theirs", "result")}
    verdict: Any = item["verdict"]
    return Outcome(str(item["pointer"]), sides["base"], sides["ours"], sides["theirs"], sides["result"], verdict)
