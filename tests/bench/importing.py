"""A full import of one-record files, against reading the blobs and upserting them bare."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from services.runtime import bulk
from services.runtime.database import Database, sqlite_url
from services.sync.tables import records
from tests.bench.cases import Case, compare
from tests.integration.sync.world import SyncWorld, sync_world
from tests.remote import Remote

# The same columns, keys and indexes as the product's own table, so that both sides write the same rows.
bare = sa.MetaData()
bare_records = records.to_metadata(bare, name="bare_records")
for constraint in bare_records.constraints:
    constraint.name = f"bare_{constraint.name}" if constraint.name else None
for index in bare_records.indexes:
    index.name = sa.quoted_name(f"bare_{index.name}", quote=None)


def make_repository(path: Path, count: int) -> Remote:
    """Give a remote with ``count`` JSON records of about 1.7 KB in YYYY/MM folders, made by fast-import."""
    remote = Remote.create(path)
    lines: list[bytes] = [b"commit refs/heads/main\ncommitter B <b@example.org> 1700000000 +0000\ndata 1\nx\n"]
    for number in range(count):
        value = {
            "id": f"r{number:06d}",
            "date": f"{2000 + number % 25}-{1 + number % 12:02d}-{1 + number % 28:02d}",
            "title": f"Record number {number} of a made-up catalogue",
            "importance": number % 10,
            "tags": [f"tag-{number % 7}", f"tag-{number % 11}", "made-up"],
            "sources": [{"title": f"Source {n}", "url": f"https://example.org/{number}/{n}"} for n in range(3)],
            "summary": f"{number} " + "All of this is text that says nothing about anything. " * 22,
        }
        raw = json.dumps(value, indent=2).encode()
        name = f"data/{value['date'][:4]}/{value['date'][5:7]}/r{number:06d}.json"  # type: ignore[index]
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (name.encode(), len(raw), raw))
    remote.git("fast-import", "--quiet", stdin=b"".join(lines))
    return remote


def full_import(folder: Path, database: str, url: str, remote: Remote, count: int, rounds: int, goal: float) -> Case:
    """Measure a first import through both services over gRPC; the clone is made before, as for the floor."""
    floors, values = [], []
    for number in range(rounds):
        with _world(folder / f"{database}-{number}", url, remote) as world:
            floors.append(_floor(folder / f"{database}-{number}", world.database))
            started = time.perf_counter()
            run = world.pull()
            values.append(time.perf_counter() - started)
            assert run.counts.imported == count == len(world.records()), run
    name = f"import of {count:,} records, {database}, against cat-file + upsert of the same rows"
    return compare(name, min(values), min(floors), goal)


@contextmanager
def _world(folder: Path, url: str, remote: Remote) -> Iterator[SyncWorld]:
    where = url or sqlite_url(folder / "sync.db")
    folder.mkdir(parents=True)
    with sync_world(folder / "services", where) as world:
        if url:
            with world.database.begin("") as tx:
                for table in reversed(world.database.metadata.sorted_tables):
                    tx.execute(sa.delete(table))
        world.attach(remote.url)
        # Clones the mirror, imports nothing.
        world.pull()
        world.collection()
        yield world


def _floor(folder: Path, database: Database) -> float:
    """Give the seconds that git and the database need by themselves for the same blobs and the same rows.

    What else is in the rows is made before the clock starts: the floor is the reading and the writing alone.
    """
    with database.begin("") as tx:
        bare_records.drop(tx, checkfirst=True)
        bare_records.create(tx)
    [mirror] = (folder / "services" / "git").rglob("*.git")
    git = ["git", "-C", str(mirror), "-c", "core.deltaBaseCacheLimit=1g"]
    made = [_row(number, path, raw) for number, (path, _, raw) in enumerate(_blobs(git))]
    started = time.perf_counter()
    rows = [{**made[n], "base_blob": oid, "base_raw": raw} for n, (_, oid, raw) in enumerate(_blobs(git))]
    with database.begin("") as tx:
        bulk.upsert(tx, bare_records, rows)
    return time.perf_counter() - started


def _blobs(git: list[str]) -> Iterator[tuple[bytes, str, bytes]]:
    """Give path, name and content of every file, read by one cat-file."""
    listing = _git(git, "ls-tree", "-r", "-z", "refs/remotes/target/main")
    entries = [line.split(b"\t") for line in listing.split(b"\0") if line]
    oids = [meta.split(b" ")[2] for meta, _ in entries]
    data = _git(git, "cat-file", "--batch", "--buffer", stdin=b"".join(oid + b"\n" for oid in oids))
    place = 0
    for oid, (_, path) in zip(oids, entries, strict=True):
        end = data.index(b"\n", place)
        size = int(data[place:end].split(b" ")[2])
        yield path, oid.decode(), data[end + 1 : end + 1 + size]
        place = end + size + 2


def _git(git: list[str], *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run([*git, *arguments], input=stdin, capture_output=True, check=True).stdout


def _row(number: int, path: bytes, raw: bytes) -> dict[str, Any]:
    """Give all of a record's row but what is read from git in the floor."""
    value = json.loads(raw)
    return {
        "tenant_id": "tenant",
        "workspace_id": "workspace",
        "key": number,
        "collection_id": "c",
        "id": value["id"],
        "path": path,
        "content": json.dumps(value, separators=(",", ":")),
        "title": value["title"],
        "revision": 1,
        "dirty": False,
        "deleted": False,
        "gone": False,
        "file_rejected": False,
        "open_conflicts": 0,
        "conflicts_settled": 0,
        "publication_id": "",
        "authors": "[]",
        "quality": -1.0,
        "reason": "import",
        "updated_by": "git",
        "updated_at": 0,
    }
