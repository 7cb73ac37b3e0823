"""Tries to lose an edit: random histories of people, reviewers, forges and Lockstep against a small model."""

import gc
import itertools
import os
import random
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from protos.sync.v1 import sync_pb2
from services.core.collection import IdRule
from services.runtime.database import sqlite_url
from services.runtime.identity import Identity, Role
from tests.integration.sync.contents import parse, with_field, write
from tests.integration.sync.crashing import Direct, Service
from tests.integration.sync.memory_git import MemoryGit, Tree
from tests.integration.sync.model import Model, Step
from tests.integration.sync.world import TENANT, SyncWorld
from tests.remote import Remote

PERSON: Final = Identity(TENANT, "ada", "ada", "Ada", "ada@example.org", Role.ADMIN)
SERVICE: Final = Identity(TENANT, "pr", "pr", "pr", "", Role.ADMIN, "pr")
STEPS: Final = (
    *("assign", "assign", "assign", "remove", "undo", "replace", "create", "create", "delete", "resolve", "resolve"),
    *("take_back", "take_back", "undo_import", "undo_import"),
    *("publish", "publish", "publish", "close", "merge", "merge", "squash", "rebase"),
    *("git_edit", "git_edit", "git_agree", "git_add", "git_add", "git_delete", "git_move", "git_move", "git_swap"),
    *("git_id", "git_break", "git_rewind", "git_revert", "sync", "sync", "sync", "sync", "sync"),
)
FROM: Final = int(os.environ.get("MODEL_FROM", "0"))
MANY: Final = int(os.environ.get("MODEL_COUNT", "170"))
CRASHES: Final = ("crash", "crash", "crash", "crash")
CHANGING: Final = ("configure", "configure", "configure")
RULES: Final[tuple[IdRule, ...]] = ("field", "stem", "path")
_numbers = itertools.count()


@dataclass
class RealRemote:
    """A bare repository that is given whole trees."""

    remote: Remote
    tree: Tree = field(default_factory=dict)
    commits: dict[str, Tree] = field(default_factory=dict)

    def commit(self, workspace: str, tree: Tree, *, merge: bool = False) -> str:  # noqa: ARG002  it has one workspace
        """Make a tree the branch's head: by going back where it has been there, else by a commit on top."""
        earlier = next((oid for oid, known in self.commits.items() if known == tree), "")
        if earlier:
            self.remote.git("update-ref", "refs/heads/main", earlier)
        else:
            gone = dict.fromkeys(path for path in self.tree if path not in tree)
            new = {path: data for path, data in tree.items() if self.tree.get(path) != data}
            before = self.remote.head()
            earlier = self.remote.commit({**gone, **new})
            if merge and before:
                parents = ("-p", before, "-p", earlier)
                earlier = self.remote.git("commit-tree", f"{earlier}^{{tree}}", *parents, "-m", "Merge")
                self.remote.git("update-ref", "refs/heads/main", earlier)
        self.commits[earlier] = self.tree = dict(tree)
        return earlier


@dataclass
class Bench:
    """One service for all histories; each has a workspace of its own."""

    git: MemoryGit
    service: Service

    def failure(self, rule: IdRule, steps: list[Step], *, replay: bool = True) -> str | None:
        """Give what went wrong in a history; None when nothing did."""
        try:
            self.play(rule, steps, replay=replay)
        except Exception:  # noqa: BLE001  whatever it is, it is to be shown with the history
            return traceback.format_exc(limit=-6)
        return None

    def play(self, rule: IdRule, steps: list[Step], *, replay: bool) -> None:
        """Play a history, then, if asked, replay it without people: both must end like a first import."""
        self.git.forget()
        name = f"w{next(_numbers)}"
        person, service = Direct(self.service, PERSON), Direct(self.service, SERVICE)
        model = Model(person, service, self.git, name, rule, cut=self.service.cut)
        model.run(steps)
        assert model.outcome(name) == self._imported(model, "fresh", model.history[-1:])
        if replay:
            # Before it was all settled, with what is in quarantine.
            trees = model.history[: model.played]
            assert self._imported(model, "replay", trees) == self._imported(model, "once", trees[-1:])

    def _imported(self, model: Model, name: str, trees: list[Tree]) -> object:
        """Give what a second workspace makes of commits that it imports one by one."""
        workspace = f"{model.workspace}-{name}"
        model.begin(workspace)
        for tree in trees:
            self.git.commit(workspace, tree)
            model.import_into(workspace)
        return model.outcome(workspace)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Give the service on SQLite."""
    with bench_on(sqlite_url(tmp_path_factory.mktemp("model") / "sync.db")) as found:
        yield found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Give the service on each database."""
    small = request.param == "sqlite"
    url = sqlite_url(tmp_path / "sync.db") if small else str(request.getfixturevalue("postgres_url"))
    with bench_on(url) as found:
        yield found


@contextmanager
def bench_on(url: str) -> Iterator[Bench]:
    """Start the service on a database."""
    git = MemoryGit()
    service = Service(url, git)
    # All that was imported stays; looking through it again and again takes a quarter of the time.
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield Bench(git, service)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
        service.close()


def history(seed: int, *more: str) -> list[Step]:
    """Give a history of a few steps."""
    chance = random.Random(seed)  # noqa: S311  the same history every time
    names = (*STEPS, *more)
    steps = range(chance.randint(2, 16))
    return [(chance.choice(names), chance.randrange(60), chance.randrange(60), chance.randrange(60)) for _ in steps]


def play(bench: Bench, rule: IdRule, seeds: Iterable[int], *more: str) -> None:
    """Play histories; fail with the shortest part of one that still fails."""
    for seed in seeds:
        steps = history(seed, *CRASHES, *more)
        # A replay takes as long as the history itself.
        if bench.failure(rule, steps, replay=seed % 8 == 0) is not None:
            steps = shortest(steps, lambda part: bench.failure(rule, part) is not None)
            pytest.fail(f"seed {seed}, rule {rule}: {steps}\n{bench.failure(rule, steps)}")


def shortest(steps: list[Step], fails: Callable[[list[Step]], bool]) -> list[Step]:
    """Leave out steps while it still fails."""
    for index in reversed(range(len(steps))):
        part = steps[:index] + steps[index + 1 :]
        if fails(part):
            steps = part
    return steps


@pytest.mark.parametrize("rule", RULES)
def test_no_history_loses_an_edit(bench: Bench, rule: IdRule) -> None:
    """Nothing that a person set vanishes, nothing sticks, and all ends in step with Git."""
    play(bench, rule, range(4))
    play(bench, rule, range(20, 22), *CHANGING)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("block", range(4))
def test_no_history_of_many_loses_an_edit(bench: Bench, rule: IdRule, block: int) -> None:
    """So too in three thousand histories, a third of them with patterns, schema or id rule changing on the way."""
    first = FROM + 1_000 * (block + 1)
    before = bench.service.crashes
    play(bench, rule, range(first, first + MANY))
    play(bench, rule, range(first + 500, first + 500 + MANY // 2), *CHANGING)
    assert bench.service.crashes - before > MANY // 4, "hardly ever did the service die"


@pytest.mark.parametrize("rule", RULES)
def test_no_history_loses_an_edit_on_either_database(either: Bench, rule: IdRule) -> None:
    """The two databases differ in what they refuse; neither refuses an import."""
    play(either, rule, range(100, 103))
    play(either, rule, range(106, 107), *CHANGING)


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
def test_no_history_loses_an_edit_with_real_git(world: SyncWorld, tmp_path: Path, rule: IdRule) -> None:
    """So too over gRPC, with git's own idea of what was renamed."""
    for seed in range(200, 203):
        name = f"{rule}-{seed}"
        remote = RealRemote(Remote.create(tmp_path / f"{name}.git"))
        world.attach(remote.remote.url, workspace=name)
        model = Model(world.sync, world.stub_as(service="pr"), remote, name, rule)
        model.run(history(seed))


def test_edits_during_imports_stay(either: Bench) -> None:
    """People go on editing the very records that an import writes; each accepted edit is there afterwards."""
    model = Model(Direct(either.service, PERSON), Direct(either.service, SERVICE), either.git, "busy", "field")
    accepted: list[str] = []

    def edit() -> None:
        person = Direct(either.service, PERSON)
        for number in range(60):
            change = sync_pb2.FieldEdit(pointer=f"/n{number}", value=b"1")
            name = "ab"[number % 2]
            person.UpdateRecord(sync_pb2.UpdateRecordRequest(workspace_id="busy", record_id=name, edits=[change]))
            accepted.append(f"n{number}")

    with ThreadPoolExecutor(1) as pool:
        editing = pool.submit(edit)
        for number in range(100):
            if editing.done():
                break
            path = f"data/{'ab'[number % 2]}.json"
            value = with_field(parse(path, model.tree[path]) or {}, "/size", number)
            model.tree = model.tree | {path: write(path, value, model.tree[path])}
            either.git.commit("busy", model.tree)
            request = sync_pb2.RunImportRequest(workspace_id="busy")
            model.person.RunImport(request)
        editing.result()
    contents = [row.content.decode() for row in model.rows("busy")]
    assert len(accepted) == 60
    assert all(any(f'"{name}":1' in content for content in contents) for name in accepted)
