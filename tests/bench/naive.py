"""How a script without much thought imports: a work tree, one file at a time, an object and a commit for each."""

import json
import subprocess
import time
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class _Base(DeclarativeBase):
    pass


class _Record(_Base):
    __tablename__ = "naive"
    id: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str]
    content: Mapped[str]


def naive_seconds(url: str, database: str, folder: Path) -> float:
    """Give the seconds that it takes, clone included: such a script has nothing else to read from."""
    engine = create_engine(database)
    _Base.metadata.drop_all(engine)
    _Base.metadata.create_all(engine)
    started = time.perf_counter()
    subprocess.run(["git", "clone", "-q", url, str(folder)], check=True, capture_output=True)
    with Session(engine) as session:
        for path in sorted((folder / "data").rglob("*.json")):
            value = json.loads(path.read_text(encoding="utf-8"))
            record = session.get(_Record, value["id"]) or _Record(id=value["id"])
            record.path, record.content = str(path.relative_to(folder)), json.dumps(value)
            session.add(record)
            session.commit()
    seconds = time.perf_counter() - started
    engine.dispose()
    return seconds
