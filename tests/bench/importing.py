"""A full import of one-record files, against reading the blobs and upserting them bare."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa

from services.runtime.database import Database, sqlite_url
from tests.bench.cases import Case, compare
from tests.bench.import_process import peak_bytes
from tests.bench.naive import naive_seconds
from tests.integration.sync.world import SyncWorld, sync_world
from tests.remote import Remote

MEGABYTE = 1024 * 1024
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
    file = Path(f"{database.engine.url.database}-bare")
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    bare = Bare.postgresql(address) if url else Bare.sqlite(file)
    started = time.perf_counter()
    bare.write(mirror, "", "refs/remotes/target/main")
    return time.perf_counter() - started


_Row = tuple[str, bytes, str, str, bytes]


@dataclass(frozen=True)
class Bare:
    """A table as bare as can be, and how its driver upserts into it."""

    upsert: Callable[[list[_Row]], None]

    @classmethod
    def sqlite(cls, file: Path) -> "Bare":
        """Give a table in a new file, opened as the product opens its own."""
        connection = sqlite3.connect(file, isolation_level=None)
        for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=FULL", "cache_size=-24576"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, path BLOB, blob TEXT, content TEXT, raw BLOB)")
        upsert = f"INSERT INTO bare VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET {_UPDATES}"  # noqa: S608

        def write(rows: list[_Row]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(upsert, rows)
            connection.execute("COMMIT")

        return cls(write)

    @classmethod
    def postgresql(cls, address: str) -> "Bare":
        """Give a new table of a database."""
        connection = psycopg.connect(address, autocommit=True)
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, path BYTEA, blob TEXT, content TEXT, raw BYTEA)")
        upsert = f"INSERT INTO bare SELECT * FROM incoming ON CONFLICT (id) DO UPDATE SET {_UPDATES}"  # noqa: S608

        def write(rows: list[_Row]) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("CREATE TEMP TABLE incoming (LIKE bare) ON COMMIT DROP")
                with cursor.copy("COPY incoming FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
                cursor.execute(upsert)

        return cls(write)

    def write(self, mirror: Path, old: str, new: str = "HEAD") -> None:
        """Upsert the files that differ between two commits; all where there is no old one."""
        git = ["git", "-C", str(mirror), "-c", "core.deltaBaseCacheLimit=1g"]
        self.upsert([(path.decode(), path, oid, raw.decode(), raw) for path, oid, raw in _blobs(git, old, new)])


def _blobs(git: list[str], old: str, new: str) -> Iterator[tuple[bytes, str, bytes]]:
    """Give path, name and content of every file that is new or changed, read by one cat-file."""
    if old:
        fields = _git(git, "diff-tree", "-r", "-z", "--raw", "--no-abbrev", old, new).split(b"\0")
        entries = [(head.split(b" ")[3], path) for head, path in zip(fields[0::2], fields[1::2], strict=False)]
    else:
        listing = _git(git, "ls-tree", "-r", "-z", new).split(b"\0")
        entries = [(line[12:52], line[53:]) for line in listing if line]
    data = _git(git, "cat-file", "--batch", "--buffer", stdin=b"".join(oid + b"\n" for oid, _ in entries))
    place = 0
    for oid, path in entries:
        end = data.index(b"\n", place)
        size = int(data[place:end].split(b" ")[2])
        yield path, oid.decode(), data[end + 1 : end + 1 + size]
        place = end + size + 2


def _git(git: list[str], *arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run([*git, *arguments], input=stdin, capture_output=True, check=True).stdout


def against_naive(folder: Path, remote: Remote, count: int) -> Case:
    """Measure how little of the naive way's time an import takes, both from the clone on."""
    folder.mkdir()
    naive = naive_seconds(remote.url, sqlite_url(folder / "naive.db"), folder / "naive")
    with sync_world(folder / "services", sqlite_url(folder / "sync.db")) as world:
        world.attach(remote.url)
        world.collection()
        started = time.perf_counter()
        run = world.pull()
        seconds = time.perf_counter() - started
        assert run.counts.imported == count
    return compare(f"import of {count:,} records, SQLite, against the naive way", seconds, naive, 1 / 40)


def memory(folder: Path, small: Remote, large: Remote) -> Case:
    """Compare the memory of an import of many records with that of few."""
    few = peak_bytes(folder / "few", small.path) / MEGABYTE
    many = peak_bytes(folder / "many", large.path) / MEGABYTE
    return compare("memory of an import of 100,000 records, against that of 10,000", many, few, 1.3, "MB")
