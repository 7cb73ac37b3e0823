"""Lists of records: filters by any field, full text, orders, pages, on both databases."""

import itertools
import random
import re
from decimal import Decimal
from typing import Any, Final

import pytest
import sqlalchemy as sa

from protos.sync.v1 import sync_pb2
from services.core.errors import BusyError, InvalidInputError, NotFoundError
from services.core.filters import conditions_of, matches, sort_text
from services.core.values import dumps
from services.sync import search_index
from services.sync.search_index import SearchIndex
from services.sync.store import Scope
from services.sync.tables import search_marks, search_texts
from tests.integration.sync.world import TENANT, WORKSPACE, SyncWorld
from tests.remote import Remote

SCOPE: Final = Scope(TENANT, WORKSPACE)
ODD: Final[list[Any]] = [
    {},
    {"n": 8, "t": "Ayr", "tags": ["water", 7], "o": {"p": {"q": "deep"}}},
    {"n": Decimal("8.0"), "t": "ayr", "tags": "water", "a.b": 1, 'k"ey': "quoted"},
    {"n": "8", "t": "", "tags": []},
    {"n": 12345678901234567890123, "t": "Ärger"},
    {"n": 12345678901234567890124, "t": None},
    {"n": True, "t": ["Ayr"]},
    {"n": False, "o": [{"p": 1}, {"p": 2}]},
    {"n": Decimal("-1E+400"), "t": "a\0b\0\0c \\u0000 \\\0"},
    {"n": Decimal("1E+200000"), "t": "beyond"},
    {"n": Decimal("0.5"), "t": "2024-01-31", "0": "zero"},
    {"n": -3, "t": "2024-02-01 \U0001f980"},
    {"n": None, "t": "%_'\"; DROP TABLE records; --"},
]
CONDITIONS: Final = [
    "n=8",
    "n!=8",
    'n="8"',
    "n>=8",
    "n<8",
    "n>8",
    "n<=-3",
    "n=12345678901234567890123",
    "n>12345678901234567890123",
    "n=true",
    "n!=false",
    "n=null",
    "n exists",
    "not n exists",
    "t=Ayr",
    "t>=B",
    "t>Ayr",
    "t<2024-02",
    't=""',
    "t contains r",
    "t contains Ayr",
    "tags contains water",
    "tags contains 7",
    "tags contains null",
    "o.p.q=deep",
    "o.0.p=1",
    "o.1.p>1",
    "0=zero",
    "/a.b=1",
    '"/k\\"ey"=quoted',
    "t contains '",
    "t contains %_",
    "t=x' OR '1'='1",
    "not t contains a",
]


@pytest.fixture
def filled(world: SyncWorld) -> SyncWorld:
    """Give services with odd records in one collection and a few in another."""
    world.collection()
    world.collection("more", "more")
    for number, value in enumerate(ODD):
        add(world, f"r{number:02d}", value)
    for number in range(3):
        add(world, f"m{number}", {"title": f"More {number}"}, "more")
    return world


def add(world: SyncWorld, record_id: str, value: Any, collection: str = "things") -> None:
    """Add a record."""
    request = sync_pb2.CreateRecordRequest(
        workspace_id=WORKSPACE, collection=collection, record_id=record_id, content=dumps(value)
    )
    world.sync.CreateRecord(request)


def ids(world: SyncWorld, size: int = 1000, **filters: Any) -> list[str]:
    """Give the ids of all pages in order."""
    found: list[str] = []
    token = ""
    while True:
        request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, page_size=size, page_token=token, **filters)
        answer = world.sync.ListRecords(request)
        assert len(answer.records) <= size
        found += [record.id for record in answer.records]
        token = answer.next_page_token
        if not token:
            return found


def test_conditions_mean_the_same_on_both_databases(filled: SyncWorld) -> None:
    """What the database finds is what ``filters.matches`` says of every record, whatever is in it.

    One record holds a number that PostgreSQL cannot: no condition holds for it there, and it stops nothing.
    """
    contents = {key.partition("/")[2]: value for key, (_, value) in filled.records().items()}
    for text in CONDITIONS:
        found = set(ids(filled, where=[text]))
        wanted = {key for key, value in contents.items() if matches(value, conditions_of([text]))}
        assert found - {"r09"} == wanted - {"r09"}, text
    for one, other in itertools.pairwise(CONDITIONS):
        found = set(ids(filled, where=[one, f"not {other.removeprefix('not ')}"]))
        texts = [one, f"not {other.removeprefix('not ')}"]
        wanted = {key for key, value in contents.items() if matches(value, conditions_of(texts))}
        assert found - {"r09"} == wanted - {"r09"}, texts


def test_filters_go_together(filled: SyncWorld) -> None:
    """Collection, state, words and conditions all have to hold; deleted records stay in lists until they are gone."""
    assert ids(filled, collection="more", where=["title>=More 1"]) == ["m1", "m2"]
    assert ids(filled, state=sync_pb2.SYNC_STATE_PENDING, query="more", where=["title!=More 1"]) == ["m0", "m2"]
    assert ids(filled, state=sync_pb2.SYNC_STATE_SYNCED) == []


def test_a_bad_filter_is_an_error_in_one_line(filled: SyncWorld) -> None:
    """The error names the place and the remedy."""
    cases: list[tuple[dict[str, Any], str]] = [
        ({"where": ["importance >> "]}, "at column 13"),
        ({"where": ["a"]}, "at column 2"),
        ({"where": ["a=1"] * 33}, "33 conditions"),
        ({"sort": "a..b"}, "column 1"),
        ({"query": "?!"}, "no word"),
        ({"page_token": "x"}, "page token"),
        ({"sort": "title", "page_token": "WyIiLCAieCIsICJ5Il0"}, "page token"),
        ({"collection": "none"}, "no collection 'none'"),
    ]
    for filters, said in cases:
        with pytest.raises((InvalidInputError, NotFoundError), match=said):
            filled.sync.ListRecords(sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, **filters))


@pytest.mark.parametrize("words", ["", "more"], ids=["all", "searched"])
def test_pages_of_any_order_hold_every_record_once(filled: SyncWorld, words: str) -> None:
    """Pages of any size, put together, are the whole list; the turned order is the list from its end."""
    query: dict[str, Any] = {"query": words} if words else {}
    by_key = {key.partition("/")[2]: value for key, (_, value) in filled.records().items()}
    for order in ("id", "title", "updated_at", "quality", "n", "t", "o.p.q", "0"):
        whole = ids(filled, sort=order, **query)
        assert len(whole) == len(set(whole)) == (3 if words else len(ODD) + 3)
        assert ids(filled, sort=f"-{order}", **query) == whole[::-1]
        for size in (1, 2, 5):
            assert ids(filled, size, sort=order, **query) == whole
            assert ids(filled, size, sort=f"-{order}", **query) == whole[::-1]
        if order in "nt":
            texts = [sort_text(by_key[record_id], (order,)) for record_id in whole if record_id != "r09"]
            assert texts == sorted(texts)


def test_a_page_goes_on_where_the_last_one_ended(filled: SyncWorld) -> None:
    """Records that come, go or change beside it move none of the others to another page or out of the list."""
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, collection="things", page_size=4)
    first = filled.sync.ListRecords(request)
    add(filled, "r00a", {})
    filled.delete("r01")
    filled.edit("r02", n=1)
    add(filled, "r05a", {})
    request.page_token = first.next_page_token
    second = filled.sync.ListRecords(request)
    assert [r.id for r in first.records] == ["r00", "r01", "r02", "r03"]
    assert [r.id for r in second.records] == ["r04", "r05", "r05a", "r06"]


def test_a_total_is_counted_when_asked_for(filled: SyncWorld) -> None:
    """Without being asked the total is known only where all records are on the one page."""
    whole = len(ODD) + 3
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, page_size=4)
    assert filled.sync.ListRecords(request).total == -1
    request.with_total = True
    assert filled.sync.ListRecords(request).total == whole
    request.query = "more"
    request.page_size = 2
    assert filled.sync.ListRecords(request).total == 3
    request = sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, page_size=1000)
    assert filled.sync.ListRecords(request).total == whole


def test_a_search_finds_words_anywhere_in_a_record(filled: SyncWorld) -> None:
    """Any text at any depth, any case, without accents, and beginnings of words; never the names of fields."""
    assert ids(filled, query="DEEP") == ["r01"]
    assert ids(filled, query="arger") == ["r04"]
    assert ids(filled, query="more 1") == ["m1"]
    assert ids(filled, query="mor*") == ["m0", "m1", "m2"]
    assert ids(filled, query="quo*", where=["t=ayr"]) == ["r02"]
    assert ids(filled, query="tags") == []
    assert ids(filled, query="drop table") == ["r12"]
    assert ids(filled, query="12345678901234567890123") == ["r04"]
    assert ids(filled, query="r07") == ["r07"]


def test_a_search_is_never_behind(world: SyncWorld, remote: Remote) -> None:
    """What an import, an edit, a deletion or a rename just did is in the next answer."""
    world.attach(remote.url)
    world.collection()
    world.pull()
    assert ids(world, query="likes fish") == ["c"]
    world.edit("c", body="Likes milk.")
    assert ids(world, query="fish") == []
    assert ids(world, query="milk") == ["c"]
    add(world, "d", {"title": "Dog likes bones"})
    assert ids(world, query="likes") == ["c", "d"]
    world.delete("d")
    assert ids(world, query="bones") == []
    remote.commit({"data/a.json": '{"id": "a", "title": "Antelope"}\n', "data/e.json": '{"id": "e", "title": "Eel"}\n'})
    world.pull()
    assert ids(world, query="ant") == []
    assert ids(world, query="antelope") == ["a"]
    assert ids(world, query="eel") == ["e"]
    remote.commit({"data/e.json": None})
    world.pull()
    assert ids(world, query="eel") == []
    with world.database.read(TENANT) as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(search_marks)).scalar_one() == 0


def test_a_deleted_collection_leaves_nothing_in_the_search(filled: SyncWorld) -> None:
    """Its words go with it, and a workspace that was deleted begins anew."""
    assert ids(filled, query="more") == ["m0", "m1", "m2"]
    delete = sync_pb2.DeleteCollectionRequest(workspace_id=WORKSPACE, collection="more", force=True)
    filled.sync.DeleteCollection(delete)
    assert ids(filled, query="more") == []
    filled.sync.DeleteWorkspaceData(sync_pb2.DeleteWorkspaceDataRequest(workspace_id=WORKSPACE, force=True))
    with filled.database.read(TENANT) as tx:
        assert tx.execute(sa.select(sa.func.count()).select_from(search_texts)).scalar_one() == 0
    filled.collection()
    add(filled, "again", {"title": "More of it"})
    assert ids(filled, query="more") == ["again"]


def test_workspaces_and_tenants_do_not_find_one_another(filled: SyncWorld) -> None:
    """The same words in another workspace or tenant are no hits."""
    other = sync_pb2.ListRecordsRequest(workspace_id="other", query="more")
    assert not filled.sync.ListRecords(other).records
    stranger = filled.stub_as(tenant="stranger")
    assert not stranger.ListRecords(sync_pb2.ListRecordsRequest(workspace_id=WORKSPACE, query="more")).records


def test_catching_up_goes_on_where_it_was(filled: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that has waited long enough says how much is left; the next one has that much less to do."""
    monkeypatch.setattr(search_index, "BATCH", 4)
    ticks = itertools.count()
    index = SearchIndex(filled.database, clock=lambda: float(next(ticks)))
    lefts = []
    for _ in range(3):
        with pytest.raises(BusyError) as busy:
            index.catch_up(SCOPE, seconds=0.5)
        lefts.append(int(re.findall(r"(\d+) are left", str(busy.value))[0]))
    assert lefts == [len(ODD) + 3 - 4, len(ODD) + 3 - 8, len(ODD) + 3 - 12]
    assert ids(filled, query="more") == ["m0", "m1", "m2"]
    filled.edit("m1", title="Less")
    assert ids(filled, query="more") == ["m0", "m2"]


def test_common_and_rare_words_give_the_same_pages(world: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the hits are sorted or the list is walked makes no difference to what comes out."""
    world.collection()
    chance = random.Random(7)  # noqa: S311  the same records in every run
    for number in range(40):
        add(
            world, f"r{chance.randrange(10_000):04d}-{number}", {"n": chance.randrange(5), "t": f"common w{number % 3}"}
        )
    for order, query, where in itertools.product(("", "-id", "n", "-updated_at"), ("common", "w1"), ([], ["n>=2"])):
        found = []
        for limit in (0, 1000):
            monkeypatch.setattr(search_index, "FEW", limit)
            found.append(ids(world, 3, sort=order, query=query, where=where))
        assert found[0] == found[1]
        assert len(found[0]) > 3


def test_the_index_is_made_anew_when_most_of_it_is_dead(filled: SyncWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents of earlier versions do not pile up for ever, and nothing is lost meanwhile."""
    monkeypatch.setattr(search_index, "_DEAD", 30)
    for number in range(60):
        filled.edit("m0", title=f"More and more w{number}")
        assert ids(filled, query=f"w{number}") == ["m0"]
    assert ids(filled, query="more") == ["m0", "m1", "m2"]
    if filled.database.dialect == "sqlite":
        with filled.database.read(TENANT) as tx:
            assert tx.exec_driver_sql("SELECT max(id) FROM search_words_docsize").scalar_one() < 75


def test_an_export_is_the_whole_selection(filled: SyncWorld) -> None:
    """It streams every record that is not deleted, in order, with its content."""
    filled.delete("m1")
    request = sync_pb2.ExportRecordsRequest(workspace_id=WORKSPACE, query="more", sort="-id")
    found = [record for message in filled.sync.ExportRecords(request) for record in message.records]
    assert [(record.collection, record.id, record.title) for record in found] == [
        ("more", "m2", "More 2"),
        ("more", "m0", "More 0"),
    ]
    whole = [
        record
        for message in filled.sync.ExportRecords(sync_pb2.ExportRecordsRequest(workspace_id=WORKSPACE))
        for record in message.records
    ]
    assert len(whole) == len(ODD) + 2
