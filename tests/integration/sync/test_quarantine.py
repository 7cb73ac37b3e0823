from typing import Any

import pytest

from protos.sync.v1 import sync_pb2
from services.core.errors import NotFoundError
from services.sync.quarantine import LINES_AROUND, WIDTH, excerpt
from tests.integration.sync.world import WORKSPACE, SyncWorld
from tests.remote import Remote

LARGE = '{"id": "large", "title": "' + "x" * (10 * 1024 * 1024) + '"}'

# What a file is kept out by: its content, where it is marked, and how it is mended.
BROKEN: dict[str, tuple[bytes | str, tuple[str, int, int, str], bytes | str | None]] = {
    "data/comma.json": ('{\n  "id": "comma",\n}\n', ("syntax", 3, 1, ""), '{"id": "comma"}'),
    "data/tab.yaml": ("id: tab\nlist:\n\t- a\n", ("syntax", 3, 1, ""), "id: tab\nlist:\n  - a\n"),
    "data/value.toml": ('id = "value"\nok = no\n', ("syntax", 2, 6, ""), 'id = "value"\nok = "no"\n'),
    "data/end.md": ("+++\nid = 'end'\n---\n", ("syntax", 1, 1, ""), "+++\nid = 'end'\n+++\n"),
    "data/latin.yaml": (b"id: latin\ntitle: caf\xe9\n", ("encoding", 2, 11, ""), "id: latin\ntitle: café\n"),
    "data/nan.json": ('{"id": "nan", "size": NaN}', ("value", 1, 23, ""), '{"id": "nan", "size": 1}'),
    "data/twice.md": ("---\nid: t\nid: t\n---\n", ("duplicate-key", 3, 1, ""), "---\nid: t\n---\n"),
    "data/hex.yaml": ("id: hex\nn: 0x" + "f" * 4000 + "\n", ("value", 2, 4, ""), "id: hex\nn: 0xff\n"),
    "data/big.json": ('{"id": "big", "size": "big"}', ("schema", 0, 0, "/size"), '{"id": "big", "size": 9}'),
    "data/bad id.json": ('{"id": [1]}', ("id", 0, 0, "/id"), '{"id": "listed"}'),
    "data/large.json": (LARGE, ("too-large", 0, 0, ""), '{"id": "large"}'),
    "data/b2.json": ('{"id": "b"}', ("duplicate-id", 0, 0, ""), '{"id": "b2"}'),
    "data/new\nline.json": ('{"id": "line"}', ("unsafe-path", 0, 0, ""), None),
}
SCHEMA = b'{"type": "object", "properties": {"size": {"type": "integer"}}}'


@pytest.fixture
def things(world: SyncWorld, remote: Remote) -> SyncWorld:
    """Give a workspace with one collection that has a schema."""
    world.attach(remote.url)
    world.collection(schema=SCHEMA)
    return world


def show(world: SyncWorld, path: str, **more: Any) -> sync_pb2.GetQuarantinedFileResponse:
    """Read one file of the quarantine."""
    request = sync_pb2.GetQuarantinedFileRequest(workspace_id=WORKSPACE, path=path.encode(), **more)
    return world.sync.GetQuarantinedFile(request)


def test_every_kind_of_fault_is_named_and_leaves_when_mended(things: SyncWorld, remote: Remote) -> None:
    """Rule, line, column and pointer say what to mend; all other files land; a mended file leaves by itself."""
    remote.commit({path: content for path, (content, _, _) in BROKEN.items()})
    remote.commit({"data/link.json": "a.json"}, mode="120000")
    counts = things.counts()
    assert (counts["imported"], counts["quarantined"]) == (3, len(BROKEN) + 1)
    found = {file.path.decode(): file for file in things.quarantine()}
    # Of two files with one id the path that sorts first owns it, whatever came first.
    expected = {path: fault for path, (_, fault, _) in BROKEN.items()}
    expected["data/link.json"] = ("not-a-file", 0, 0, "")
    assert {p: (f.rule, f.line, f.column, f.pointer) for p, f in found.items()} == {
        ("data/b.yaml" if path == "data/b2.json" else path): fault for path, fault in expected.items()
    }
    assert list(found["data/b.yaml"].other_paths) == [b"data/b2.json"]
    assert all(file.message and "\n" not in file.message for file in found.values())
    # Of a schema the rule in it that is broken.
    assert found["data/big.json"].message.endswith(" (type)")
    assert not things.status().in_sync
    remote.commit({**{path: mended for path, (_, _, mended) in BROKEN.items()}, "data/link.json": None})
    things.pull()
    assert things.quarantine() == []
    assert things.status().in_sync
    ids = {name.removeprefix("things/") for name in things.records()}
    assert ids == {
        "a",
        "b",
        "c",
        "b2",
        "comma",
        "tab",
        "value",
        "end",
        "latin",
        "nan",
        "t",
        "hex",
        "big",
        "listed",
        "large",
    }


def test_every_path_of_a_double_id_is_named(things: SyncWorld, remote: Remote) -> None:
    """Each of the files that lose names all the others; the one that is left alone gets the id."""
    remote.commit({f"data/{name}.toml": 'id = "d"\n' for name in ("x", "y", "z")})
    things.pull()
    assert {file.path: list(file.other_paths) for file in things.quarantine()} == {
        b"data/y.toml": [b"data/x.toml", b"data/z.toml"],
        b"data/z.toml": [b"data/x.toml", b"data/y.toml"],
    }
    remote.commit({"data/x.toml": None, "data/z.toml": None})
    things.pull()
    assert things.quarantine() == []
    assert things.record("d").path == b"data/y.toml"


def test_one_file_is_shown_with_the_text_around_its_line(things: SyncWorld, remote: Remote) -> None:
    """As the import read it; nothing where no line is marked, and an error that names a path that is not there."""
    lines = [f'k{n} = "{n}"' for n in range(1, 10)]
    text = "\n".join([*lines[:4], "\tbroken = \x1b[31m", *lines[4:]]) + "\n"
    remote.commit({"data/bad.toml": text, "data/big.json": '{"id": "big", "size": "big"}'})
    things.pull()
    shown = show(things, "data/bad.toml", collection="things")
    assert (shown.file.rule, shown.file.line, shown.file.column) == ("syntax", 5, 11)
    assert list(shown.excerpt) == [*lines[1:4], "\tbroken = \ufffd[31m", *lines[4:7]]
    assert (shown.excerpt_line, shown.excerpt_column) == (2, 11)
    assert shown.file == next(file for file in things.quarantine() if file.path == b"data/bad.toml")
    other = show(things, "data/big.json")
    assert (other.file.pointer, list(other.excerpt), other.excerpt_line) == ("/size", [], 0)
    with pytest.raises(NotFoundError, match=r"'data/a.json' is not in quarantine: `lockstep quarantine list`"):
        show(things, "data/a.json")
    with pytest.raises(NotFoundError):
        show(things, "data/bad.toml", collection="none")


def test_the_list_is_filtered_by_rule_and_collection(things: SyncWorld, remote: Remote) -> None:
    """Over pages, with the number of what the filter takes."""
    remote.commit({f"data/{n}.json": "{" for n in range(3)} | {"more/x.json": "{", "data/dup.json": '{"id": "b"}'})
    things.collection(path="more", name="more")
    things.pull()

    def listed(**filters: Any) -> tuple[list[str], int]:
        request = sync_pb2.ListQuarantineRequest(workspace_id=WORKSPACE, page_size=2, **filters)
        answer = first = things.sync.ListQuarantine(request)
        paths = [file.path.decode() for file in answer.files]
        while answer.next_page_token:
            request.page_token = answer.next_page_token
            answer = things.sync.ListQuarantine(request)
            paths += [file.path.decode() for file in answer.files]
        return paths, first.total

    bad = [f"data/{n}.json" for n in range(3)]
    assert listed() == ([*bad, "data/b.yaml", "more/x.json"], 5)
    assert listed(rule="syntax") == ([*bad, "more/x.json"], 4)
    assert listed(collection="things") == ([*bad, "data/b.yaml"], 4)
    assert listed(rule="duplicate-id", collection="things") == (["data/b.yaml"], 1)
    assert listed(rule="encoding") == ([], 0)
    with pytest.raises(NotFoundError, match="none"):
        listed(collection="none")


def test_a_long_line_is_cut_around_the_place() -> None:
    """And the column is that of what is shown; a mark at the front of the file is not counted."""
    lines, first, column = excerpt(b"a\r\n" + b"x" * 5000 + b"!" + b"y" * 5000 + b"\n" + b"z" * 500, 2, 5001)
    assert first == 1
    assert lines[0] == "a"
    assert len(lines[1]) == len(lines[2]) == WIDTH
    assert lines[1][column - 1] == "!"
    assert excerpt(b"\xef\xbb\xbfab\n", 1, 2) == (["ab"], 1, 2)
    assert excerpt(b"\n" * 20, 10, 1) == ([""] * (2 * LINES_AROUND + 1), 10 - LINES_AROUND, 1)
    assert excerpt(b"caf\xe9\n", 1, 4) == (["caf\ufffd"], 1, 4)
    assert excerpt(b"a\nb", 2, 1) == (["a", "b"], 1, 1)
