"""Who reads is not blocked by an import, and sees all of it or nothing."""

from collections.abc import Iterator

import pytest

from protos.common.v1 import common_pb2
from services.runtime.context import Call, enter
from services.runtime.identity import Identity, Role
from services.sync.git_client import GitClient
from services.sync.importer import Importer, Options
from services.sync.store import Scope
from tests.integration.sync.world import NOW, TENANT, WORKSPACE, SyncWorld
from tests.remote import Remote

WHO = Identity(TENANT, "ada", "ada", "Ada", "ada@example.org", Role.ADMIN)


@pytest.fixture(autouse=True)
def _caller() -> Iterator[None]:
    enter(Call(WHO))
    yield
    enter(None)


def test_a_reader_beside_an_import_sees_what_was_there(world: SyncWorld, remote: Remote) -> None:
    """In the middle of the transaction that writes, lists answer as before; afterwards with everything."""
    world.attach(remote.url)
    world.collection()
    world.pull()
    before = world.records()
    remote.commit({f"data/n/{number}.json": f'{{"id": "n{number}"}}' for number in range(1_200)})
    importer = Importer(world.database, GitClient(world.git, 1_000_000), lambda: NOW)
    events = importer.run(Scope(TENANT, WORKSPACE), "ada", Options())
    within = next(
        event for event in events if isinstance(event, common_pb2.Progress) and event.phase == "write" and event.done
    )
    assert 0 < within.done < within.total == 1_200
    assert world.records() == before
    assert world.status().imported_commit != remote.head()
    *_, result = events
    assert not isinstance(result, common_pb2.Progress)
    assert len(world.records()) == len(before) + 1_200
