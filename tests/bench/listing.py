"""A page of 50 records with a condition and a full text search, at the gateway, against the same SQL by hand."""

import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import sqlalchemy as sa

from gateway import standalone
from services.runtime.config import Settings
from services.runtime.database import Database, sqlite_url
from services.sync.tables import metadata
from tests.bench.cases import Case, compare
from tests.remote import Remote

COLUMNS: Final = (
    "key, id, title, path, revision, dirty, publication_id, open_conflicts, quality, updated_by, updated_at"
)
HEADER: Final = "FROM records r WHERE tenant_id = :tenant AND workspace_id = :workspace AND collection_id = :collection"
OF_RECORD: Final = "t.tenant_id = r.tenant_id AND t.workspace_id = r.workspace_id AND t.key = r.key"
# One word in seven records, one importance in five: both have to be looked at, and neither finds few.
SQLITE: Final = f"""
SELECT {COLUMNS} {HEADER} AND id > :after AND NOT gone AND EXISTS (
    SELECT 1 FROM search_texts t WHERE {OF_RECORD} AND instr(t.words, ' flood ') > 0)
AND json_extract(content, '$.importance') >= 8 ORDER BY id LIMIT 51
"""  # noqa: S608
POSTGRESQL: Final = f"""
SELECT {COLUMNS} {HEADER} AND id > :after AND NOT gone AND EXISTS (
    SELECT 1 FROM search_texts t WHERE {OF_RECORD} AND t.words @@ '''flood'''::tsquery)
AND (content::jsonb -> 'importance')::numeric >= 8 ORDER BY id LIMIT 51
"""  # noqa: S608
PAGES: Final = 40
BUSY: Final = 429
SMALL: Final = 10_000
LARGE: Final = 100_000


def cases(folder: Path, database: str, url: str, rounds: int) -> Iterator[Case]:
    """Measure on one database; an empty address stands for SQLite."""
    settings = Settings(data=folder / f"listing-{database}", poll_seconds=0, database_url=url)  # type: ignore[arg-type]
    with standalone.running(settings, brief=True) as running:
        address = url or sqlite_url(folder / f"listing-{database}" / "sync.db")
        headers = {"Authorization": f"Bearer {running.first_token}"}
        with httpx2.Client(base_url=f"{running.url}/api/v1", headers=headers, trust_env=False, timeout=600) as http:
            workspaces = {count: _filled(folder, database, http, count) for count in (SMALL, LARGE)}
            small, large, bare = _measured(http, address, workspaces, rounds)
    name = f"page of 50 of {LARGE:,} records, condition and full text, {database}, p95 at the gateway"
    yield compare(f"{name}, against bare SQL", large * 1000, bare * 1000, 3.0, "ms")
    yield compare(f"{name}, against {SMALL:,} records", large * 1000, small * 1000, 1.5, "ms")


def _filled(folder: Path, database: str, http: httpx2.Client, count: int) -> str:
    """Make a workspace with records that the search has taken in; give its id."""
    name = f"many-{count}"
    remote = Remote.create(folder / f"{database}-{count}.git", {"README.md": "x"})
    about = {"name": name, "repo": remote.url, "collections": [{"name": "all", "path": "d"}]}
    workspace: str = http.post("/workspaces", json=about).raise_for_status().json()["id"]
    started = time.perf_counter()
    loaded = http.post(f"/workspaces/{name}/record-loads", content=_lines(count)).raise_for_status().json()
    assert loaded["created"] == count
    loading = time.perf_counter() - started
    started = time.perf_counter()
    while http.get(f"/workspaces/{name}/records", params={"query": "flood", "page_size": 1}).status_code == BUSY:
        time.sleep(0.1)
    print(f"{database}: {count:,} records loaded in {loading:.1f} s, indexed in {time.perf_counter() - started:.1f} s")
    return workspace


def _measured(http: httpx2.Client, address: str, workspaces: dict[int, str], rounds: int) -> tuple[float, float, float]:
    """Give p95 of a page of the few, of the many, and of the SQL for the many, page by page in turn."""
    small: list[float] = []
    large: list[float] = []
    bare: list[float] = []
    database = Database.open(address, "sync", metadata)
    try:
        with database.engine.connect() as connection:
            for _ in range(rounds):
                few, many = _pages(http, SMALL), _pages(http, LARGE)
                by_hand = _bare_pages(connection, workspaces[LARGE])
                seen: list[str] = []
                for _ in range(PAGES):
                    seconds, ids = next(many)
                    large.append(seconds)
                    seen += ids
                    seconds, hand = next(by_hand)
                    bare.append(seconds)
                    assert ids == hand
                    small.append(next(few)[0])
                assert seen == [f"r{number:06d}" for number in range(LARGE) if _is_hit(number)][: PAGES * 50]
    finally:
        database.close()
    return _p95(small), _p95(large), _p95(bare)


def _pages(http: httpx2.Client, count: int) -> Iterator[tuple[float, list[str]]]:
    """Give seconds and ids of one page after another, from the first again after the last full one."""
    page = ""
    while True:
        query = {"query": "flood", "where": "importance>=8", "page": page}
        started = time.perf_counter()
        answer = http.get(f"/workspaces/many-{count}/records", params=query)
        seconds = time.perf_counter() - started
        found = answer.raise_for_status().json()
        page = found["next_page"]
        if page or not found["records"]:
            yield seconds, [record["id"] for record in found["records"]]


def _bare_pages(connection: sa.Connection, workspace: str) -> Iterator[tuple[float, list[str]]]:
    where = {"workspace": workspace}
    which = sa.text("SELECT tenant_id, collection_id FROM records WHERE workspace_id = :workspace LIMIT 1")
    row = connection.execute(which, where).one()
    where |= {"tenant": row.tenant_id, "collection": row.collection_id, "after": ""}
    query = sa.text(SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL.replace("::", r"\:\:"))
    while True:
        started = time.perf_counter()
        rows = connection.execute(query, where).all()
        seconds = time.perf_counter() - started
        yield seconds, [row.id for row in rows[:50]]
        where["after"] = rows[49].id


def _lines(count: int) -> Iterator[bytes]:
    """Give records of about 1.7 KB as JSON lines, in parts."""
    for _, numbers in itertools.groupby(range(count), lambda number: number // 500):
        yield b"".join(json.dumps(_value(number)).encode() + b"\n" for number in numbers)


def _value(number: int) -> dict[str, Any]:
    return {
        "id": f"r{number:06d}",
        "date": f"{2000 + number % 25}-{1 + number % 12:02d}-{1 + number % 28:02d}",
        "title": f"Record number {number} of a made-up catalogue",
        "importance": number % 10,
        "tags": ["flood" if number % 7 == 0 else "drought", f"tag-{number % 11}", "made-up"],
        "sources": [{"title": f"Source {n}", "url": f"https://example.org/{number}/{n}"} for n in range(3)],
        "summary": f"{number} " + "All of this is text that says nothing about anything. " * 22,
    }


def _is_hit(number: int) -> bool:
    return number % 7 == 0 and number % 10 >= 8


def _p95(timed: list[float]) -> float:
    return statistics.quantiles(timed, n=20)[-1]
