"""Repositories of 100,000 records for the measurements of the git service, made by ``git fast-import``."""

from collections.abc import Mapping
from hashlib import shake_128
from pathlib import Path

from services.git.packs import object_name
from tests.remote import Remote

COUNT = 100_000
CHANGED = 10
EDITED = 100
SMALL_PART = 1000
ASSETS = 400
ASSET_BYTES = 500_000
_HEAD = b"commit refs/heads/main\ncommitter B <b@example.org> %d +0000\ndata 1\nx\n"
_TEXT = "All of this is text that says nothing about anything. "


def flat(number: int) -> str:
    """Give the path of a record where all lie in one folder."""
    return f"data/r{number:06d}.json"


def by_month(number: int) -> str:
    """Give the path of a record where each month has a folder."""
    return f"data/{2000 + number % 25}/{1 + number // 25 % 12:02d}/r{number:06d}.json"


def record(number: int, version: int = 0) -> bytes:
    """Give the content of a record, about 1.7 KB."""
    text = _TEXT * 27
    shown = f'{{\n  "id": "r{number:06d}",\n  "version": {version},\n  "title": "Record {number}",\n'
    return (
        shown + f'  "sources": [{number * 7919}, {number * 104729}],\n  "summary": "{number} {text}"\n}}\n'
    ).encode()


def small(number: int, version: int = 0) -> bytes:
    """Give a short record, where only the number of files matters."""
    return b'{"id": "r%06d", "version": %d}\n' % (number, version)


def edited(version: int) -> list[int]:
    """Give the records that a version edits, spread over all of them."""
    step = COUNT // EDITED
    return [number * step + version % step for number in range(EDITED)]


def stream(paths_and_contents: list[tuple[str, bytes]], base: str = "", time: int = 1_700_000_000) -> bytes:
    """Give a commit to main as fast-import reads it."""
    lines = [_HEAD % time]
    if base:
        lines.append(b"from %s\n" % base.encode())
    for path, content in paths_and_contents:
        lines.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(content), content))
    return b"".join(lines)


def make(path: Path, *, months: bool) -> tuple[Remote, str, str]:
    """Make a repository of COUNT records and a second commit that changes CHANGED; give it and both commits."""
    place, content = (by_month, record) if months else (flat, small)
    remote = Remote.create(path)
    blobs = [b"blob\ndata %d\n%s\n" % (len(content(n)), content(n)) for n in range(COUNT)]
    remote.git("fast-import", "--quiet", stdin=b"".join(blobs))
    first = _commit(remote, {place(n): object_name("blob", content(n)).hex() for n in range(COUNT)})
    step = COUNT // CHANGED
    changes = [(place(n * step + n), content(n * step + n, 1)) for n in range(CHANGED)]
    remote.git("fast-import", "--quiet", stdin=stream(changes, first, 1_700_000_001))
    # As a forge keeps it, and so that what is sent and stored does not hang on how fast-import wrote it.
    remote.git("repack", "-a", "-d", "-q", "--depth=20", "--window=5")
    return remote, first, remote.head()


def make_small_part(path: Path) -> Remote:
    """Make a repository of SMALL_PART records beside ASSETS files that do not compress, 200 MB in all."""
    remote = Remote.create(path)
    remote.git("config", "uploadpack.allowFilter", "true")
    files = [(f"assets/a{n:04d}.bin", shake_128(b"%d" % n).digest(ASSET_BYTES)) for n in range(ASSETS)]
    files += [(by_month(n), record(n)) for n in range(SMALL_PART)]
    remote.git("fast-import", "--quiet", stdin=stream(files))
    return remote


def _commit(remote: Remote, blobs: Mapping[str, str]) -> str:
    """Commit a tree by its index: fast-import searches a folder from its start for each file it adds."""
    index = {"GIT_INDEX_FILE": str(remote.path / "bench-index")}
    lines = "".join(f"100644 {oid}\t{path}\0" for path, oid in blobs.items())
    remote.git("update-index", "-z", "--index-info", stdin=lines.encode(), env=index)
    dates = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    commit = remote.git("commit-tree", remote.git("write-tree", env=index), "-m", "x", env=dates)
    remote.git("update-ref", "refs/heads/main", commit)
    return commit
