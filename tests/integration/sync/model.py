# ruff: noqa: ARG002  every step takes three numbers, whatever it needs
"""What people, reviewers, forges and Lockstep do to a workspace, each step chosen by three numbers."""

import contextlib
from dataclasses import dataclass
from typing import Final

from protos.sync.v1 import sync_pb2
from services.core.importing import as_object
from services.core.merge import MISSING, changed, merge
from services.core.values import dumps, loads
from tests.integration.sync.contents import all_numbers, at, fresh_file, held, numbers, parse, put, with_field, write
from tests.integration.sync.memory_git import Tree
from tests.integration.sync.watched import REFUSALS, Watched

POOL: Final = ("a", "b", "c", "d")
FILES: Final = tuple(
    f"data/{name}" for name in ("a.json", "b.json", "c.json", "d.json", "sub/a.json", "a.yaml", "b.md")
)
FIELDS: Final = ("/title", "/size", "/meta/x", "/meta/y", "/meta")
RULE_NAMES: Final = ("field", "stem", "path")
Step = tuple[str, int, int, int]


@dataclass
class Model(Watched):
    """A workspace with the steps that ``test_model.py`` names."""

    def run(self, steps: list[Step]) -> None:
        """Do the steps, then settle everything."""
        for name, a, b, c in steps:
            getattr(self, name)(a, b, c)
            self.check()
        self.played = len(self.history)
        self.settle(sum(step[1] for step in steps))

    # --- a person at the database

    def assign(self, a: int, b: int, c: int) -> None:
        """Set a field."""
        record, number = self._record(a), self._number()
        if record:
            pointer = FIELDS[b % len(FIELDS)]
            old = as_object(loads(record.content))
            parts = pointer.split("/")[1:]
            if len(parts) > 1 and not isinstance(old.get(parts[0]), dict):
                pointer, value = f"/{parts[0]}", dumps({parts[1]: number})
            else:
                value = dumps(number)
            self._edit(record, {number}, edits=[sync_pb2.FieldEdit(pointer=pointer, value=value)])

    def remove(self, a: int, b: int, c: int) -> None:
        """Take a field out."""
        record = self._record(a)
        pointer = FIELDS[b % len(FIELDS)]
        if not record or (before := numbers(record, pointer)) == set():
            return
        if self._edit(record, set(), edits=[sync_pb2.FieldEdit(pointer=pointer)]):
            in_git = all_numbers(self.git_records().get(record.id, ("", {}))[1])
            self.removed |= {(record.id, number) for number in before & in_git}

    def undo(self, a: int, b: int, c: int) -> None:
        """Set a field back to what Git has, after it was proposed otherwise."""
        record = self._record(a)
        if not record or not record.publication_id:
            return
        answer = self.person.GetRecord(sync_pb2.GetRecordRequest(workspace_id=self.workspace, record_id=record.id))
        if not answer.base_content:
            return
        base, mine = loads(answer.base_content), loads(record.content)
        pointer = FIELDS[b % len(FIELDS)]
        old, new = at(base, pointer), at(mine, pointer)
        known = any(p.id == record.publication_id and p.fresh for p in self.publications)
        if not isinstance(old, int) or not isinstance(new, int) or old == new:
            return
        if self._edit(record, {old}, edits=[sync_pb2.FieldEdit(pointer=pointer, value=dumps(old))]):
            self.live.discard(old)
            if known:
                self.undone[old] = new

    def replace(self, a: int, b: int, c: int) -> None:
        """Give a record wholly new content."""
        record = self._record(a)
        if record:
            content = self._content(record.id)
            if "id" not in as_object(loads(record.content)):
                del content["id"]
            self._edit(record, all_numbers(content), content=dumps(content))

    def create(self, a: int, b: int, c: int) -> None:
        """Add a record, perhaps one that was deleted."""
        record_id = POOL[a % len(POOL)]
        content = self._content(record_id)
        request = sync_pb2.CreateRecordRequest(
            workspace_id=self.workspace, record_id=record_id, content=dumps(content), collection="things"
        )
        self._user(lambda: self.person.CreateRecord(request), all_numbers(content))

    def delete(self, a: int, b: int, c: int) -> None:
        """Delete a record."""
        record = self._record(a)
        if not record:
            return
        request = sync_pb2.DeleteRecordRequest(workspace_id=self.workspace, record_id=record.id)
        self._user(lambda: self.person.DeleteRecord(request))
        if record.base_blob or record.publication_id:
            self.deleted.add(record.id)

    def resolve(self, a: int, b: int, c: int) -> None:
        """Settle a conflict one way or another."""
        conflicts = self._conflicts()
        if not conflicts:
            return
        conflict = conflicts[a % len(conflicts)]
        number = self._number()
        choice = b % 3 if conflict.pointer else b % 2
        take = (sync_pb2.TAKE_OURS, sync_pb2.TAKE_THEIRS, sync_pb2.TAKE_UNSPECIFIED)[choice]
        request = sync_pb2.ResolveConflictRequest(
            workspace_id=self.workspace, conflict_id=conflict.id, take=take, value=dumps(number) if choice == 2 else b""
        )
        done = self._user(lambda: self.person.ResolveConflict(request), {number} if choice == 2 else set())
        if done:
            self.removed = {(one, v) for one, v in self.removed if one != conflict.record_id}

    def take_back(self, a: int, b: int, c: int) -> None:
        """Take a resolution back, where that is allowed: what it gave up is watched again."""
        every = sync_pb2.ConflictFilter(state="any")
        request = sync_pb2.ListConflictsRequest(workspace_id=self.workspace, filter=every, page_size=1000)
        settled = [conflict for conflict in self.person.ListConflicts(request).conflicts if conflict.resolved_by]
        if not settled:
            return
        before = held(self.rows())
        chosen = settled[-1 - a % min(len(settled), 4)]
        undo = sync_pb2.UndoResolutionRequest(workspace_id=self.workspace, conflict_id=chosen.id)
        if self._user(lambda: self.person.UndoResolution(undo)):
            self.live |= held(self.rows()) - before - self._numbers_in_git()

    def publish(self, a: int, b: int, c: int) -> None:
        """Set all pending records aside, or one."""
        pending = [row for row in self.rows() if row.state == sync_pb2.SYNC_STATE_PENDING]
        chosen = [pending[b % len(pending)].id] if pending and a % 3 == 0 else []
        with contextlib.suppress(*REFUSALS):
            self._reserve(f"p{len(self.publications)}", chosen)

    def close(self, a: int, b: int, c: int) -> None:
        """Close a publication without merging it, or end one that was merged."""
        if self.publications:
            publication = self.publications[a % len(self.publications)]
            if b % 2:
                self.pull()
            self._release(publication)

    # --- others, in Git

    def merge(self, a: int, b: int, c: int) -> None:
        """Merge a publication with a merge commit: as it is, with more, in part, or changed by a reviewer."""
        self._land(a, b, c, "merge")

    def squash(self, a: int, b: int, c: int) -> None:
        """Merge a publication as one commit of its own."""
        self._land(a, b, c, "squash")

    def rebase(self, a: int, b: int, c: int) -> None:
        """Merge a publication as commits, a file each; Lockstep may look at any of them."""
        self._land(a, b, c, "rebase")

    def _land(self, a: int, b: int, c: int, how: str) -> None:
        if not self.publications:
            return
        publication = self.publications[a % len(self.publications)]
        tree = dict(self.tree)
        for index, (path, content) in enumerate(publication.files.items()):
            way = (b + index * c) % 6
            if way == 3:
                continue
            new = content
            if tree.get(path) != publication.base.get(path):
                new = self._joined(tree.get(path), publication.base.get(path), content) if c % 2 else content
            elif way in (4, 5) and content is not None:
                new = self._reviewed(path, publication.base.get(path), content, way)
            put(tree, path, new)
            if how == "rebase":
                self._commit(dict(tree))
                if (a + index) % 3 == 0:
                    self.pull()
        if b % 6 == 1:
            tree = self._edited(tree, c, a)
        self._commit(tree, merge=how == "merge")
        if b % 2:
            self.pull()

    def git_edit(self, a: int, b: int, c: int) -> None:
        """Change a field of a file."""
        self._commit(self._edited(dict(self.tree), a, b))

    def git_agree(self, a: int, b: int, c: int) -> None:
        """Come to hold in Git what the database says of one field, or of all."""
        record = self._record(a)
        if not record or record.path.decode() not in self.tree:
            return
        path = record.path.decode()
        old, mine = parse(path, self.tree[path]), as_object(loads(record.content))
        if old is None:
            return
        pointer = FIELDS[b % len(FIELDS)]
        new = mine if c % 3 == 0 else with_field(old, pointer, at(mine, pointer))
        self._commit(self.tree | {path: write(path, new, self.tree[path])})

    def git_add(self, a: int, b: int, c: int) -> None:
        """Add or overwrite a file, also with an id that another has."""
        path = FILES[a % len(FILES)]
        self._commit(self.tree | {path: fresh_file(path, self._content(POOL[b % len(POOL)], bare=c % 4 == 0))})

    def git_delete(self, a: int, b: int, c: int) -> None:
        """Delete a file."""
        paths = self._paths()
        if paths:
            self._commit({p: d for p, d in self.tree.items() if p != paths[a % len(paths)]})

    def git_move(self, a: int, b: int, c: int) -> None:
        """Rename a file, perhaps with an edit, perhaps to another format."""
        paths = self._paths()
        if not paths:
            return
        source, target = paths[a % len(paths)], FILES[b % len(FILES)]
        if target in self.tree:
            return
        tree = dict(self.tree)
        data = tree.pop(source)
        value = parse(source, data)
        if value is not None and (c % 2 or source.rpartition(".")[2] != target.rpartition(".")[2]):
            if c % 3 == 0:
                value = with_field(value, FIELDS[c % len(FIELDS)], self._number())
            data = fresh_file(target, value)
        self._commit(tree | {target: data})

    def git_swap(self, a: int, b: int, c: int) -> None:
        """Swap two files."""
        paths = [path for path in self._paths() if path.endswith(".json")]
        if len(paths) > 1:
            one, other = paths[a % len(paths)], paths[b % len(paths)]
            self._commit(self.tree | {one: self.tree[other], other: self.tree[one]})

    def git_id(self, a: int, b: int, c: int) -> None:
        """Change the id in a file."""
        paths = self._paths()
        value = parse(paths[a % len(paths)], self.tree[paths[a % len(paths)]]) if paths else None
        if value is not None:
            path = paths[a % len(paths)]
            self._commit(self.tree | {path: fresh_file(path, {**value, "id": POOL[b % len(POOL)]})})

    def git_break(self, a: int, b: int, c: int) -> None:
        """Break a file; mend one that is broken."""
        paths = self._paths()
        if paths:
            path = paths[a % len(paths)]
            if self.tree[path].startswith(b"<<<"):
                self._commit(self.tree | {path: self.tree[path][3:]})
            else:
                self._commit(self.tree | {path: b"<<<" + self.tree[path]})

    def git_rewind(self, a: int, b: int, c: int) -> None:
        """Force the branch back to an earlier commit, or revert to it."""
        self._commit(self.history[-1 - a % len(self.history)])

    def git_revert(self, a: int, b: int, c: int) -> None:
        """Put one file back to what it was."""
        paths = sorted({path for tree in self.history for path in tree if path.startswith("data/")})
        path = paths[a % len(paths)]
        tree = dict(self.tree)
        put(tree, path, self.history[-1 - b % len(self.history)].get(path))
        self._commit(tree)

    # --- Lockstep

    def sync(self, a: int, b: int, c: int) -> None:
        """Import, perhaps twice, perhaps after a plan."""
        if a % 4 == 0:
            plan = self._import(plan=True)
            assert plan.state == sync_pb2.RUN_STATE_PLANNED
        self.pull()
        if b % 4 == 0:
            before = self.rows()
            self.pull()
            assert self.rows() == before

    def undo_import(self, a: int, b: int, c: int) -> None:
        """Undo imports: the newest, or one just made, after which everything is as before; perhaps make it anew."""
        if a % 2:
            for _ in range(1 + b % 3):
                if not self.undo_newest():
                    return
            return
        before = self.everything()
        if not self.pull().id:
            return
        after = self.everything()
        assert self.undo_newest(), "nobody was there, and yet something was touched since"
        assert self.everything() == before
        if b % 2:
            self.pull()
            assert self.everything() == after

    def crash(self, a: int, b: int, c: int) -> None:
        """Die at one of the next statements, be it of a look or of a write; whoever asked asks again."""
        self.cut((a * 7 + b) % 90)

    def configure(self, a: int, b: int, c: int) -> None:
        """Change the collection's settings while edits are pending."""
        if a % 3 == 0:
            self.settings["exclude"] = [["README*"], ["README*", "b.*"], ["README*", "sub"]][b % 3]
        elif a % 3 == 1:
            self.settings["schema"] = [b"", b'{"required": ["size"]}'][b % 2]
        else:
            self.rule = ("field", "stem", "path")[b % 3]
        request = sync_pb2.UpdateCollectionRequest(workspace_id=self.workspace, collection=self._message())
        self.person.UpdateCollection(request)
        if c % 3:
            self.pull()
        else:
            self._move_on()

    def _joined(self, now: bytes | None, base: bytes | None, mine: bytes | None) -> bytes | None:
        """Merge as a person at the forge would: both sides' changes, and Git's where both changed one."""
        if now is None or mine is None:
            return now
        parsed = [parse("x.json", one) or {} for one in (base or b"", mine, now)]
        return fresh_file("x.json", merge(parsed[0], parsed[1], parsed[2]).value) if parsed[1] and parsed[2] else now

    def _reviewed(self, path: str, base: bytes | None, content: bytes, way: int) -> bytes:
        old, new = (parse(path, base) if base else {}) or {}, parse(path, content) or {}
        fields = [pointer for pointer in changed(old, new) if pointer != "/id"]
        if not fields:
            return content
        pointer = fields[self.last % len(fields)]
        if way == 4:
            return write(path, with_field(new, pointer, self._number()), content)
        return write(path, with_field(new, pointer, at(old, pointer)), content)

    def _edited(self, tree: Tree, a: int, b: int) -> Tree:
        paths = self._paths()
        if not paths:
            return tree
        path = paths[a % len(paths)]
        value = parse(path, tree.get(path, b""))
        if value is None:
            return tree
        pointer = FIELDS[b % len(FIELDS)]
        way = b // len(FIELDS) % 4
        if way == 3 and path.endswith(".json"):
            return tree | {path: dumps(value) + b"\n"}
        return tree | {
            path: write(path, with_field(value, pointer, MISSING if way == 2 else self._number()), tree[path])
        }
