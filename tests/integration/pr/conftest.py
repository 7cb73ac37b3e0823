"""Fixtures of the pr service, each on SQLite and on PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.runtime.database import sqlite_url
from tests.fakes.world import World
from tests.integration.pr.installation import Installation, Others, others


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give an empty database of either kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "pr.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def world() -> World:
    """Give a repository with two imported records, one of them edited."""
    world = World.start({b"fire.json": b"{}", b"flood.json": b"{}"})
    world.edit("fire", b'{"title": 1}')
    return world


@pytest.fixture
def stubs(world: World) -> Iterator[Others]:
    """Serve the other services."""
    with others(world) as served:
        yield served


@pytest.fixture
def install(database_url: str, stubs: Others) -> Iterator[Callable[..., Installation]]:
    """Give a function that starts a pr process on the test's database; all are stopped at the end."""
    started: list[Installation] = []

    def start(**more: object) -> Installation:
        started.append(Installation(database_url, stubs, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for one in started:
        one.stop()
