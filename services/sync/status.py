"""Whether database and Git are in step: proven in the call, or not claimed (invariant 6)."""

from protos.sync.v1 import sync_pb2
from services.runtime.database import Database
from services.sync import inbox_store, record_store, store
from services.sync.git_client import GitClient
from services.sync.polling import Schedule
from services.sync.store import Scope
from services.sync.tables import records


def sync_status(database: Database, git: GitClient, scope: Scope, schedule: Schedule) -> sync_pb2.GetSyncStatusResponse:
    """Read the remote's ref now and count what keeps the two apart."""
    with database.read(scope.tenant_id) as tx:
        row = store.workspace_row(tx, scope)
        imported = row.imported_commit if row else ""
        pending = record_store.count(tx, scope, records.c.dirty, records.c.publication_id == "")
        proposed = record_store.count(tx, scope, records.c.publication_id != "")
        conflicts = inbox_store.count_conflicts(tx, scope)
        quarantined = inbox_store.count_quarantine(tx, scope)
        total = record_store.count(tx, scope)
        polling = schedule.standing(tx, scope)
    remote = git.status(scope, imported)
    settled = not (pending or proposed or conflicts or quarantined)
    return sync_pb2.GetSyncStatusResponse(
        in_sync=bool(imported) and remote.remote_oid == imported and settled,
        remote_commit=remote.remote_oid,
        imported_commit=imported,
        commits_behind=remote.commits_behind,
        pending=pending,
        proposed=proposed,
        conflicts=conflicts,
        quarantined=quarantined,
        records=total,
        last_sync=row.last_sync if row else 0,
        polling=polling,
    )
