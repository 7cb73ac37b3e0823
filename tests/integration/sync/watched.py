"""A workspace that is watched: what people set in it, and what must therefore be there.

Every value that anybody sets is a number of its own. So an edit is lost when its number is neither in the
database nor was in Git nor was given up by a person; no copy of the merge is needed to tell.
"""

import contextlib
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol

from protos.sync.v1 import sync_pb2, sync_pb2_grpc
from services.core.collection import DEFAULT_EXCLUDE, BadIdError, Collection, IdRule
from services.core.errors import AlreadyExistsError, InvalidInputError, NeedsPersonError, NotFoundError, StateError
from services.core.merge import MISSING, same
from services.core.schema import validate
from services.core.values import dumps, equal, loads
from tests.integration.sync.contents import FIRST, Object, all_numbers, at, fresh_file, held, ordered, parse, put
from tests.integration.sync.memory_git import Tree

RULES: Final[dict[IdRule, sync_pb2.IdRule.ValueType]] = {
    "field": sync_pb2.ID_RULE_FIELD,
    "stem": sync_pb2.ID_RULE_STEM,
    "path": sync_pb2.ID_RULE_PATH,
}
REFUSALS: Final = (AlreadyExistsError, InvalidInputError, NotFoundError, StateError)


class Repository(Protocol):
    """A remote with one branch."""

    def commit(self, workspace: str, tree: Tree, *, merge: bool = False) -> str:
        """Make a tree the branch's head, by a merge commit where that is asked for."""
        ...


class Stub(Protocol):
    """The sync service as a caller sees it."""

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        """Give a method."""
        ...


@dataclass
class Publication:
    """A set of files on its way to the branch; None deletes."""

    id: str
    base: Tree
    files: dict[str, bytes | None]
    ids: dict[str, str]
    open: bool = True
    fresh: bool = True


@dataclass
class Before:
    """What was watched before an import, so that it is watched again when that is undone."""

    live: set[int]
    removed: set[tuple[str, int]]
    deleted: set[str]


@dataclass
class Watched:
    """One workspace, what must not vanish from it, and how to settle all that is open in it."""

    person: sync_pb2_grpc.SyncServiceStub | Stub
    service: sync_pb2_grpc.SyncServiceStub | Stub
    repository: Repository
    workspace: str
    rule: IdRule
    settings: dict[str, Any] = field(default_factory=dict)
    tree: Tree = field(default_factory=dict)
    history: list[Tree] = field(default_factory=list)
    publications: list[Publication] = field(default_factory=list)
    live: set[int] = field(default_factory=set)
    removed: set[tuple[str, int]] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    undone: dict[int, int] = field(default_factory=dict)
    played: int = 0
    last: int = FIRST
    imports: dict[str, Before] = field(default_factory=dict)
    _seen: list[sync_pb2.Record] | None = None
    # Lets the service die after so many statements; see ``crashing.Service``.
    cut: Callable[[int], None] = lambda _: None

    def __post_init__(self) -> None:
        """Begin with two records in Git and an import."""
        request = sync_pb2.CreateCollectionRequest(workspace_id=self.workspace, collection=self._message())
        self.person.CreateCollection(request)
        tree = {"data/README.md": b"# Data\n", "other.txt": b"?"}
        self._commit(tree | {f"data/{name}.json": fresh_file("x.json", self._content(name)) for name in ("a", "b")})
        self.pull()

    def pull(self) -> sync_pb2.Run:
        """Import, and see that nothing that anybody set has vanished."""
        before = {row.id: row for row in self.rows()}
        watched = Before(set(self.live), set(self.removed), set(self.deleted))
        run = self._import()
        self.imports[run.id] = watched
        rows = {row.id: row for row in self.rows()}
        expected = self.git_records()
        for row in rows.values():
            if row.state == sync_pb2.SYNC_STATE_SYNCED and not row.file_quarantined:
                assert row.id in expected, f"'{row.id}' is no record in Git"
                path, value = expected[row.id]
                assert row.path.decode() == path
                assert equal(loads(row.content), value), f"'{row.id}' differs from Git"
        assert expected.keys() <= rows.keys(), "records of Git are missing"
        assert {file.path.decode() for file in self._quarantine()} == self._rejected(expected)
        assert run.counts.imported - run.counts.deleted == len(rows) - len(before)
        self._check_landed(before, expected)
        self._check_undone(rows)
        self._check_sides(rows, expected)
        self._move_on()
        return run

    def settle(self, choice: int) -> None:
        """Settle and publish all there is: then database and Git must be in step, whatever went before."""
        for publication in self.publications:
            self._release(publication)
        self._finish(choice)
        for _ in range(3):
            rejected = self._rejected(self.git_records())
            if not rejected:
                break
            self._commit({path: data for path, data in self.tree.items() if path not in rejected})
            self._finish(choice)
        status = self._status()
        assert status.in_sync, f"{status} {self.rows()} {self._quarantine()}"

    def check(self) -> None:
        """See that every live edit is in the database."""
        rows = self.rows()
        there = held(rows)
        assert self.live <= there, f"lost {sorted(self.live - there)}: {[(r.id, r.content, r.state) for r in rows]}"
        present = {row.id: all_numbers(loads(row.content)) for row in rows if not row.deleted}
        back = {(one, number) for one, number in self.removed if number in present.get(one, set())}
        assert not back, f"came back: {back}"
        assert not self.deleted & present.keys(), f"deleted, and back: {self.deleted & present.keys()}"

    def rows(self, workspace: str = "") -> list[sync_pb2.Record]:
        """Give all records."""
        if not workspace:
            if self._seen is None:
                self._seen = self._list(self.workspace)
            return self._seen
        return self._list(workspace)

    def _list(self, workspace: str) -> list[sync_pb2.Record]:
        request = sync_pb2.ListRecordsRequest(workspace_id=workspace, with_content=True, page_size=1000)
        return list(self.person.ListRecords(request).records)

    def outcome(self, workspace: str) -> tuple[Any, Any]:
        """Give what a workspace holds.

        Records whose file is broken are left out: how long one has been seen whole is the one thing in which a
        workspace that followed each commit knows more.
        """
        rows = {
            row.id: (row.path, row.base_blob, row.title, row.state, ordered(loads(row.content)))
            for row in self.rows(workspace)
            if not row.file_quarantined
        }
        return rows, [(f.path, f.blob, f.rule, f.message, list(f.other_paths)) for f in self._quarantine(workspace)]

    def begin(self, workspace: str) -> None:
        """Add a second workspace with the same settings."""
        self.person.CreateCollection(
            sync_pb2.CreateCollectionRequest(workspace_id=workspace, collection=self._message())
        )

    def import_into(self, workspace: str) -> None:
        """Import into a second workspace."""
        request = sync_pb2.RunImportRequest(workspace_id=workspace, confirm_deletes=True)
        list(self.person.RunImport(request))

    def git_records(self) -> dict[str, tuple[str, Object]]:
        """Give the records that the head holds, by id, with their paths: the rule in five lines."""
        rules = self._rules()
        found = []
        for path in self._included():
            value = parse(path, self.tree[path])
            with contextlib.suppress(BadIdError):
                if value is not None and not validate(rules.schema, value):
                    found.append((rules.rank(path.encode()), path, rules.id_of(path.encode(), value), value))
        return {record_id: (path, value) for _, path, record_id, value in sorted(found, key=lambda f: f[:2])[::-1]}

    def _check_landed(self, before: dict[str, sync_pb2.Record], expected: dict[str, tuple[str, Object]]) -> None:
        """See that what is on the branch byte for byte is known to be merged."""
        for publication in self.publications:
            if not publication.open:
                continue
            request = sync_pb2.GetReservationsRequest(workspace_id=self.workspace, publication_id=publication.id)
            merged = {r.record_id for r in self.service.GetReservations(request).reservations if r.merged}
            for path, content in publication.files.items():
                record_id = publication.ids[path]
                row = before.get(record_id)
                if row is None or row.publication_id != publication.id or self.tree.get(path) != content:
                    continue
                mine = expected.get(record_id, ("", {}))[0]
                if content is None and self._moved_on(publication, before):
                    continue
                if mine == ("" if content is None else path):
                    assert record_id in merged, f"{record_id} of {publication.id} is on the branch, and not merged"

    def _moved_on(self, publication: Publication, before: dict[str, sync_pb2.Record]) -> bool:
        """Say whether a record that was to be deleted has its file, and with it its id, elsewhere now."""
        mine = (row for row in self.rows() if row.publication_id == publication.id and row.deleted)
        return any(row.id not in before for row in mine)

    def _check_undone(self, rows: dict[str, sync_pb2.Record]) -> None:
        in_git = self._numbers_in_git()
        for old, new in self.undone.items():
            if new in in_git and old not in in_git:
                assert old in held(list(rows.values())), f"an edit back to {old} is lost"

    def _check_sides(self, rows: dict[str, sync_pb2.Record], expected: dict[str, tuple[str, Object]]) -> None:
        """See that what a conflict says of Git is what Git says."""
        for conflict in self._conflicts():
            row = rows[conflict.record_id]
            assert row.state == sync_pb2.SYNC_STATE_CONFLICT
            if row.file_quarantined:
                continue
            value = expected.get(row.id, ("", None))[1]
            theirs = MISSING if value is None else at(value, conflict.pointer)
            said = loads(conflict.theirs) if conflict.theirs else MISSING
            assert same(said, theirs), f"{conflict} but Git has {value}"

    def _move_on(self) -> None:
        """Give up watching what Git holds by now: it may go on from there."""
        in_git = self._numbers_in_git()
        expected = self.git_records()
        self.live -= in_git
        self.removed = {(one, v) for one, v in self.removed if v in all_numbers(expected.get(one, ("", {}))[1])}
        self.deleted = {one for one in self.deleted if one in expected}
        self.undone = {}
        for publication in self.publications:
            publication.fresh = False

    def _finish(self, choice: int) -> None:
        for attempt in range(4):
            self.pull()
            for conflict in self._conflicts():
                self._settle_one(conflict, choice + attempt)
            self.check()
            try:
                publication = self._reserve(f"{choice}-{len(self.publications)}", [])
            except (StateError, InvalidInputError) as error:
                if error.reason == "NOTHING_TO_PUBLISH":
                    return
                if error.reason not in {"NO_PLACE", "SCHEMA"}:
                    raise
                self._mend_pending(drop=error.reason == "NO_PLACE")
                continue
            tree = dict(self.tree)
            for path, content in publication.files.items():
                put(tree, path, content)
            self._commit(tree)
            self.pull()
            self._release(publication)

    def _mend_pending(self, *, drop: bool) -> None:
        """Do as the error says: delete records that the settings leave no place for, mend what breaks the schema."""
        for row in self.rows():
            if row.state != sync_pb2.SYNC_STATE_PENDING or row.deleted or row.file_quarantined:
                continue
            if drop:
                request = sync_pb2.DeleteRecordRequest(workspace_id=self.workspace, record_id=row.id)
                self._user(lambda request=request: self.person.DeleteRecord(request), strict=True)  # type: ignore[misc]
            else:
                number = self._number()
                self._edit(row, {number}, edits=[sync_pb2.FieldEdit(pointer="/size", value=dumps(number))])

    def _settle_one(self, conflict: sync_pb2.Conflict, choice: int) -> None:
        sides = [sync_pb2.TAKE_THEIRS, sync_pb2.TAKE_OURS]
        for take in sides[choice % 2 :] + sides[: choice % 2]:
            request = sync_pb2.ResolveConflictRequest(workspace_id=self.workspace, conflict_id=conflict.id, take=take)
            try:
                self._user(lambda request=request: self.person.ResolveConflict(request), strict=True)  # type: ignore[misc]
            except (StateError, InvalidInputError):
                continue
            self.removed = {(one, v) for one, v in self.removed if one != conflict.record_id}
            return
        raise AssertionError(f"nothing settles {conflict}")

    def _user(self, act: Callable[[], object], adds: AbstractSet[int] = frozenset(), *, strict: bool = False) -> bool:
        before = held(self.rows())
        self._seen = None
        try:
            act()
        except REFUSALS:
            if strict:
                raise
            return False
        rows = self.rows()
        after = held(rows)
        assert adds <= after, "an accepted edit is not there"
        self.live = (self.live - (before - after)) | adds
        for watched in self.imports.values():
            watched.live = (watched.live - (before - after)) | adds
        self.undone = {old: new for old, new in self.undone.items() if old in after}
        self._forget_returned(rows)
        return True

    def _forget_returned(self, rows: list[sync_pb2.Record]) -> None:
        present = {row.id: all_numbers(loads(row.content)) for row in rows if not row.deleted}
        self.removed = {(one, v) for one, v in self.removed if v not in present.get(one, set())}
        self.deleted = {one for one in self.deleted if any(row.id == one and row.deleted for row in rows)}

    def undo_newest(self) -> bool:
        """Undo the newest import there is; say whether that was allowed. What it had settled is watched again."""
        runs = self.person.ListRuns(sync_pb2.ListRunsRequest(workspace_id=self.workspace, page_size=200)).runs
        landed = [run for run in runs if run.kind == "import" and run.state == sync_pb2.RUN_STATE_SUCCEEDED]
        if not landed:
            return False
        before = self.rows()
        self._seen = None
        try:
            list(self.person.UndoRun(sync_pb2.UndoRunRequest(workspace_id=self.workspace, run_id=landed[0].id)))
        except NeedsPersonError as error:
            why = (error.why, bool(error.ids), self.rows() == before)
            assert why == ("edited", True, True)
            return False
        watched = self.imports.pop(landed[0].id, Before(set(), set(), set()))
        self.live |= watched.live
        self.removed |= watched.removed
        self.deleted |= watched.deleted
        self.undone = {}
        self._forget_returned(self.rows())
        return True

    def everything(self) -> list[Any]:
        """Give all that an import may change, without revisions, who made them, and the ids of conflicts."""
        found: list[Any] = []
        for row in self.rows():
            kept = sync_pb2.Record()
            kept.CopyFrom(row)
            for name in ("revision", "updated_by", "updated_at"):
                kept.ClearField(name)
            found.append(str(kept))
        conflicts = self._conflicts()
        for conflict in conflicts:
            conflict.ClearField("id")
            conflict.ClearField("run_id")
            conflict.ClearField("created_at")
        found += [*sorted(map(str, conflicts)), *map(str, self._quarantine())]
        for publication in self.publications:
            request = sync_pb2.GetReservationsRequest(workspace_id=self.workspace, publication_id=publication.id)
            found.append([(r.record_id, r.merged) for r in self.service.GetReservations(request).reservations])
        return found

    def _edit(self, record: sync_pb2.Record, adds: set[int], **change: Any) -> bool:
        request = sync_pb2.UpdateRecordRequest(workspace_id=self.workspace, record_id=record.id, **change)
        return self._user(lambda: self.person.UpdateRecord(request), adds)

    def _reserve(self, publication_id: str, ids: list[str]) -> Publication:
        request = sync_pb2.ReserveRecordsRequest(
            workspace_id=self.workspace, publication_id=publication_id, record_ids=ids
        )
        self._seen = None
        records = [record for message in self.service.ReserveRecords(request) for record in message.records]
        paths = [record.path.decode() for record in records]
        assert len(set(paths)) == len(paths), "two records share a file"
        files = {r.path.decode(): None if r.delete else r.file_content for r in records}
        publication = Publication(
            publication_id, dict(self.tree), files, {r.path.decode(): r.record_id for r in records}
        )
        for record in records:
            # Only a record's own file, or a new one, may be written. Checked against what was imported last.
            if record.create:
                assert not any(row.path == record.path and row.id != record.record_id for row in self.rows())
        self.publications.append(publication)
        return publication

    def _release(self, publication: Publication) -> None:
        request = sync_pb2.ReleaseRecordsRequest(workspace_id=self.workspace, publication_id=publication.id)
        self.service.ReleaseRecords(request)
        self._seen = None
        publication.open = False
        self.undone = {}
        self._forget_returned(self.rows())

    def _import(self, *, plan: bool = False) -> sync_pb2.Run:
        request = sync_pb2.RunImportRequest(workspace_id=self.workspace, confirm_deletes=True, plan=plan)
        self._seen = None
        run: sync_pb2.Run = list(self.person.RunImport(request))[-1].run
        return run

    def _commit(self, tree: Tree, *, merge: bool = False) -> None:
        if tree != self.tree:
            self.tree = tree
            self.history.append(tree)
            self.repository.commit(self.workspace, tree, merge=merge)

    def _content(self, record_id: str, *, bare: bool = False) -> Object:
        content: Object = {"id": record_id, "title": self._number(), "size": self._number()}
        content["meta"] = {"x": self._number()}
        if bare:
            del content["id"]
        return content

    def _number(self) -> int:
        self.last += 1
        return self.last

    def _numbers_in_git(self) -> set[int]:
        values = [parse(path, self.tree[path]) for path in self._included()]
        return set().union(*(all_numbers(value) for value in values if value))

    def _record(self, a: int) -> sync_pb2.Record | None:
        rows = [row for row in self.rows() if not row.deleted]
        return rows[a % len(rows)] if rows else None

    def _paths(self) -> list[str]:
        return sorted(path for path in self.tree if path.startswith("data/") and "README" not in path)

    def _included(self) -> list[str]:
        rules = self._rules()
        return [path for path in self._paths() if rules.rank(path.encode()) is not None]

    def _rejected(self, expected: dict[str, tuple[str, Object]]) -> set[str]:
        return set(self._included()) - {path for path, _ in expected.values()}

    def _conflicts(self) -> list[sync_pb2.Conflict]:
        request = sync_pb2.ListConflictsRequest(workspace_id=self.workspace, page_size=1000)
        return list(self.person.ListConflicts(request).conflicts)

    def _quarantine(self, workspace: str = "") -> list[sync_pb2.QuarantinedFile]:
        request = sync_pb2.ListQuarantineRequest(workspace_id=workspace or self.workspace, page_size=1000)
        return list(self.person.ListQuarantine(request).files)

    def _status(self) -> sync_pb2.GetSyncStatusResponse:
        status: sync_pb2.GetSyncStatusResponse = self.person.GetSyncStatus(
            sync_pb2.GetSyncStatusRequest(workspace_id=self.workspace)
        )
        return status

    def _message(self) -> sync_pb2.Collection:
        return sync_pb2.Collection(
            name="things", path="data", id_rule=RULES[self.rule], new_path="{id}.json", **self.settings
        )

    def _rules(self) -> Collection:
        return _collection(self.rule, self.settings.get("schema", b""), tuple(self.settings.get("exclude", ())))


@lru_cache
def _collection(rule: IdRule, schema: bytes, exclude: tuple[str, ...]) -> Collection:
    return Collection("", "things", "data", exclude=exclude or DEFAULT_EXCLUDE, id_rule=rule, schema=schema)
