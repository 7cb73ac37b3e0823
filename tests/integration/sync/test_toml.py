import pytest

from services.core.errors import InvalidInputError
from services.core.values import loads
from tests.integration.sync.world import SyncWorld
from tests.remote import Remote

TOML = """\
id = "t"   # kept by hand
opened = 1872-05-01
height = 31.50

[[links]]
url = "u1"

[place]
town = "Ayr"
"""
POST = '+++\nid = "p"\ndate = 2024-01-02T10:00:00+01:00 # as posted\n+++\n\nText.\n'


@pytest.fixture
def things(world: SyncWorld, remote: Remote) -> SyncWorld:
    """Give a workspace with a collection of default patterns, TOML files among its own."""
    remote.commit({"data/t.toml": TOML, "data/p.md": POST, "data/pyproject.toml": "[project]\n"})
    world.attach(remote.url)
    world.collection()
    assert world.counts() == {"files": 7, "imported": 5, "excluded": 2}
    return world


def test_toml_files_are_records_and_come_back_with_their_own_lines_changed(things: SyncWorld, remote: Remote) -> None:
    """Dates are text and go back without quotes; comments, order and digits stay; both kinds of front matter."""
    assert things.get("t")["opened"] == "1872-05-01"
    assert things.get("p") == {"id": "p", "date": "2024-01-02T10:00:00+01:00", "body": "Text."}
    things.edit("t", opened="1873-06-02", links=[{"url": "u1"}, {"url": "u2"}])
    things.edit("p", date="2024-01-03", body="Other.")
    contents = {r.path: r.file_content.decode() for r in things.reserve()}
    assert contents == {
        b"data/t.toml": TOML.replace("1872-05-01", "1873-06-02").replace('"u1"\n', '"u1"\n\n[[links]]\nurl = "u2"\n'),
        b"data/p.md": POST.replace("2024-01-02T10:00:00+01:00", "2024-01-03").replace("Text", "Other"),
    }
    remote.commit({path.decode(): content for path, content in contents.items()})
    things.pull()
    assert things.reservations() == {"t": True, "p": True}
    assert things.status().in_sync


def test_both_sides_of_a_toml_file_merge(things: SyncWorld, remote: Remote) -> None:
    """A field that changed in Git and another that changed in the database; a move to JSON keeps the record."""
    things.edit("t", opened="1900-01-01")
    remote.commit(
        {"data/t.toml": None, "data/t.json": '{"id": "t", "opened": "1872-05-01", "height": 40, "links": []}'}
    )
    things.pull()
    assert things.get("t") == {"id": "t", "opened": "1900-01-01", "height": 40, "links": []}


def test_a_new_record_of_a_toml_collection_is_a_toml_file(world: SyncWorld, remote: Remote) -> None:
    """In the house style; null, which TOML does not have, is refused by its name."""
    world.attach(remote.url)
    world.collection(include=["*.toml"], new_path="{id}.toml", path="data")
    world.pull()
    world.create("n", date="2024-01-02", title="New", size=10**20)
    [reserved] = world.reserve()
    assert reserved.path == b"data/n.toml"
    assert reserved.file_content.decode() == f'id = "n"\ndate = 2024-01-02\ntitle = "New"\nsize = {10**20}\n'
    assert loads(world.record("n").content) == world.get("n")
    world.create("m", title=None)
    with pytest.raises(InvalidInputError, match="'m' cannot be written: the field /title is null, which TOML"):
        world.reserve("p2")
