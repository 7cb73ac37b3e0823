"""A full import of one-record files, against reading the blobs and upserting them bare."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from services.runtime import bulk
from services.runtime.database import Database, sqlite_url
from tests.bench.cases import Case, compare
from tests.integration.sync.world import SyncWorld, sync_world
from tests.remote import Remote

bare = sa.MetaData()
bare_records = sa.Table(
    "bare_records",
    bare,
    sa.Column("tenant_id", sa.String(64), primary_key=True),
    sa.Column("workspace_id", sa.String(64), primary_key=True),
    sa.Column("id", sa.String(255), primary_key=True),
    sa.Column("path", sa.LargeBinary, nullable=False),
    sa.Column("blob", sa.String(64), nullable=False),
    sa.Column("content", sa.Text, nullable=False),
)


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
    name = f"import of {count:,} records, {database}, against cat-file + bare upsert"
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
    """Give the seconds that git and the database need for the same blobs by themselves."""
    with database.begin("") as tx:
        bare_records.drop(tx, checkfirst=True)
        bare_records.create(tx)
    [mirror] = (folder / "services" / "git").rglob("*.git")
    started = time.perf_counter()
    git = ["git", "-C", str(mirror), "-c", "core.deltaBaseCacheLimit=1g"]
    listing = subprocess.run([*git, "ls-tree", "-r", "-z", "refs/remotes/target/main"], capture_output=True, check=True)
    entries = [line.split(b"\t") for line in listing.stdout.split(b"\0") if line]
    oids = b"".join(entry[0].split(b" ")[2] + b"\n" for entry in entries)
    batch = subprocess.run([*git, "cat-file", "--batch", "--buffer"], input=oids, capture_output=True, check=True)
    rows, place, data = [], 0, batch.stdout
    for meta, path in entries:
        end = data.index(b"\n", place)
        size = int(data[place:end].split(b" ")[2])
        raw = data[end + 1 : end + 1 + size]
        place = end + size + 2
        blob = meta.split(b" ")[2].decode()
        values = ("tenant", "workspace", path.decode(), path, blob, raw.decode())
        rows.append(dict(zip(bare_records.c.keys(), values, strict=True)))
    with database.begin("") as tx:
        bulk.upsert(tx, bare_records, rows)
    return time.perf_counter() - started
