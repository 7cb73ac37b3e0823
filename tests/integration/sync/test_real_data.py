"""A real research timeline with its history: every file accounted for, every way to its end the same."""

import difflib
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from services.core.values import dumps
from tests.integration.sync.world import SyncWorld
from tests.remote import Remote

pytestmark = [pytest.mark.slow, pytest.mark.shared_data, pytest.mark.timeout(600)]

FOLDER = "timeline/data/events"
# The folder was renamed in the history: one collection over the whole tree sees both names.
ANYWHERE = ["**/events/*.md", "**/events/*.json", "**/events/*.yaml", "**/events/*.yml"]


@pytest.fixture
def timeline(tmp_path: Path, shared_data: Path, world: SyncWorld) -> Remote:
    """Give a clone of the real repository as the workspace's remote."""
    remote = Remote(tmp_path / "timeline.git")
    bundle = shared_data / "kleptocracy-timeline.bundle"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(bundle), str(remote.path)], check=True)
    world.attach(remote.url)
    return remote


def test_every_file_is_accounted_for(world: SyncWorld, timeline: Remote) -> None:
    """Records, quarantine and excluded files are all files; the double ids are named with both paths."""
    world.collection(path=FOLDER, name="events")
    counts = world.counts()
    files = [path for path in timeline.files() if path.startswith(f"{FOLDER}/")]
    assert len(files) == counts["files"] == 2_053
    assert counts["imported"] + counts["quarantined"] + counts["excluded"] == 2_053
    quarantine = world.quarantine()
    assert Counter(file.rule for file in quarantine) == {"duplicate-id": 117}
    records = {path for path, _ in world.records().values()}
    for file in quarantine:
        [other] = file.other_paths
        assert other in records
        assert {file.path.rpartition(b".")[2], other.rpartition(b".")[2]} == {b"md", b"json"}
    assert counts["excluded"] == 1


def test_replaying_history_ends_like_importing_its_end(world: SyncWorld, timeline: Remote) -> None:
    """Every commit, one by one: YAML to Markdown, the renamed folder, the added JSON; the same records in the end."""
    commits = timeline.git("rev-list", "--reverse", "--topo-order", "main").split()
    assert len(commits) == 111
    world.collection(path="", name="events", include=ANYWHERE)
    for commit in commits:
        timeline.git("update-ref", "refs/heads/main", commit)
        world.pull(confirm_deletes=True)
    replayed, held = world.records(), {(f.path, f.rule) for f in world.quarantine()}
    world.attach(timeline.url, workspace="fresh")
    at_once, held_at_once = _at_once(world)
    assert replayed == at_once
    assert held == held_at_once
    assert len(at_once) == 2_053 - 117 - 1


def _at_once(world: SyncWorld) -> tuple[dict[str, object], set[tuple[bytes, str]]]:
    from protos.sync.v1 import sync_pb2

    collection = sync_pb2.Collection(name="events", include=ANYWHERE)
    world.sync.CreateCollection(sync_pb2.CreateCollectionRequest(workspace_id="fresh", collection=collection))
    list(world.sync.RunImport(sync_pb2.RunImportRequest(workspace_id="fresh")))
    return world.records(workspace="fresh"), {(f.path, f.rule) for f in world.quarantine(workspace="fresh")}


def test_edits_touch_only_the_lines_of_their_field(world: SyncWorld, timeline: Remote) -> None:
    """One field of 25 records of each format: the commit's diff is those fields' lines and nothing else."""
    # The YAML files are from the early history, the others from the end; all lie in one tree here.
    early = timeline.git("rev-list", "--reverse", "--first-parent", "main").split()[0]
    yaml = [p for p in timeline.files(early) if p.startswith("timeline_data/events/") and p.endswith(".yaml")]
    timeline.commit({f"{FOLDER}/old/{path.rpartition('/')[2]}": timeline.read(path, early) for path in yaml[:100]})
    # JSON before Markdown, so that the JSON files of double ids are the records.
    world.collection(path=FOLDER, name="events", include=["*.json", "*.md", "*.yaml"])
    world.pull()
    taken: dict[str, list[str]] = {"md": [], "json": [], "yaml": []}
    for key, (path, content) in world.records().items():
        suffix = path.decode("utf-8", "surrogateescape").rpartition(".")[2]
        if len(taken[suffix]) < 25 and isinstance(content.get("title"), str):
            taken[suffix].append(key.partition("/")[2])
    assert {suffix: len(ids) for suffix, ids in taken.items()} == {"md": 25, "json": 25, "yaml": 25}
    for record_id in [i for ids in taken.values() for i in ids]:
        world.edit(record_id, title=f"Edited: {record_id}")
    reserved = world.reserve()
    assert len(reserved) == 75
    for record in reserved:
        before = timeline.read(record.path.decode("utf-8", "surrogateescape")).splitlines(keepends=True)
        after = record.file_content.splitlines(keepends=True)
        changes = [line for line in difflib.ndiff(_text(before), _text(after)) if line[0] in "+-"]
        removed = [line for line in changes if line[0] == "-"]
        added = [line for line in changes if line[0] == "+"]
        assert len(added) == 1, (record.path, changes)
        assert "title" in added[0]
        assert f"Edited: {record.record_id}" in added[0]
        # A title that was wrapped over several lines is one line now; its lines are the only ones that went.
        assert "title" in removed[0]
        old = " ".join(line[2:].strip() for line in removed)
        assert not any(f"{key}:" in old.partition("title")[2] for key in ("date", "importance", "summary"))


def _text(lines: list[bytes]) -> list[str]:
    return [line.decode() for line in lines]


def test_values_keep_their_types(world: SyncWorld, timeline: Remote) -> None:
    """Dates stay text, integers stay integers, and what goes out over the wire comes back equal."""
    world.collection(path=FOLDER, name="events")
    world.pull()
    for _, content in world.records().values():
        assert isinstance(content.get("date"), str)
        assert isinstance(content.get("importance", 0), int | str)
        assert dumps(content)
