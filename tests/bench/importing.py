"""A full import of one-record files, against reading the blobs and upserting them bare."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa

from services.runtime.database import Database, sqlite_url
from tests.bench.cases import Case, compare
from tests.integration.sync.world import SyncWorld, sync_world
from tests.remote import Remote

# What an import has to keep of a file, under one key and no other index.
_COLUMNS = ("id", "path", "blob", "content", "raw")
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])


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
        with _world(folder / f"{database}-{count}-{number}", url, remote) as world:
            floors.append(_floor(folder / f"{database}-{count}-{number}", world.database, url))
            started = time.perf_counter()
            run = world.pull()
            values.append(time.perf_counter() - started)
            assert run.counts.imported == count == len(world.records()), run
    how = "COPY to a temporary table + upsert" if url else "executemany upsert"
    return compare(f"import of {count:,} records, {database}, against cat-file + {how}", min(values), min(floors), goal)


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


def _floor(folder: Path, database: Database, url: str) -> float:
    """Give the seconds that git and the database need by themselves for the same files."""
    [mirror] = (folder / "services" / "git").rglob("*.git")
    git = ["git", "-C", str(mirror), "-c", "core.deltaBaseCacheLimit=1g"]
    upsert = _into_postgresql if url else _into_sqlite
    started = time.perf_counter()
    rows = [(oid, path, oid, raw.decode(), raw) for path, oid, raw in _blobs(git)]
    upsert(database, rows)
    return time.perf_counter() - started


_Row = tuple[str, bytes, str, str, bytes]


def _into_sqlite(database: Database, rows: list[_Row]) -> None:
    connection = sqlite3.connect(f"{database.engine.url.database}-bare", isolation_level=None)
    # As the product sets them.
    for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL", "cache_size=-24576"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, path BLOB, blob TEXT, content TEXT, raw BLOB)")
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        f"INSERT INTO bare VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET {_UPDATES}",  # noqa: S608
        rows,
    )
    connection.execute("COMMIT")
    connection.close()


def _into_postgresql(database: Database, rows: list[_Row]) -> None:
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare")
        cursor.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, path BYTEA, blob TEXT, content TEXT, raw BYTEA)")
        cursor.execute("CREATE TEMP TABLE incoming (LIKE bare) ON COMMIT DROP")
        with cursor.copy("COPY incoming FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            f"INSERT INTO bare SELECT * FROM incoming ON CONFLICT (id) DO UPDATE SET {_UPDATES}",  # noqa: S608
        )


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
