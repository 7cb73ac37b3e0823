"""The git service through its RPCs, against what git itself needs for the same.

Each case measures both in turn, round by round, in one run, and asserts that both came to the same: the
same head, the same paths and blobs, the same tree. What counts is the round that was disturbed least.
"""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2
from services.git import partial
from services.git.blobs import MAX_BLOB_BYTES
from services.git.convert import MAX_OIDS
from services.git.quota import size_of
from services.sync.git_client import blobs_in, changes_in
from tests.bench import git_repositories as repositories
from tests.bench.cases import Case, compare
from tests.bench.git_host import git_host
from tests.bench.git_process import META, PARTIAL, GitProcess, git_process
from tests.remote import Remote

_T = TypeVar("_T")

WHOLE = "whole"

MEGABYTE = 1024 * 1024
MEMORY_MEGABYTES = 150
# The service gives git this much; so does the floor.
CACHE = "core.deltaBaseCacheLimit=256m"
PERSON = common_pb2.Person(name="Bench", email="bench@example.org")


@dataclass(frozen=True)
class Layout:
    """A repository that the service has a mirror of: where records are, its two commits, a copy for git."""

    name: str
    remote: Remote
    first: str
    second: str
    place: Callable[[int], str]
    content: Callable[[int, int], bytes]


NAMES = (
    "git-no-op-pull",
    "git-changed-months",
    "git-changed-flat",
    "git-blobs",
    "git-commit-flat",
    "git-commit-months",
    "git-partial",
)
MEMORY = "git-memory"


def run(folder: Path, rounds: int, prefix: str = "") -> list[Case]:
    """Measure the cases whose name begins with a prefix, and the memory of the service in all of them."""
    wanted = [name for name in (*NAMES, MEMORY) if name.startswith(prefix)]
    if not wanted:
        return []
    with _service(folder) as (service, months, flat, small_part, url):
        measures: dict[str, Callable[[], Case]] = {
            "git-no-op-pull": lambda: no_op_pull(service, months, url, 10 * rounds),
            "git-changed-months": lambda: changed(service, months, 20 * rounds),
            "git-changed-flat": lambda: changed(service, flat, 10 * rounds),
            "git-blobs": lambda: all_blobs(service, months, rounds + 1),
            "git-commit-flat": lambda: commit(service, flat, 2 * rounds, 0.33),
            "git-commit-months": lambda: commit(service, months, 5 * rounds, 1.2),
            "git-partial": lambda: partial_clone(service, small_part, rounds, 1.3),
            # Its floor is what the service may have beside git's own processes.
            MEMORY: lambda: compare(
                "memory of the git service at its peak", service.peak_bytes() / MEGABYTE, MEMORY_MEGABYTES, 1, "MB"
            ),
        }
        return [measures[name]() for name in wanted]


def no_op_pull(service: GitProcess, layout: Layout, url: str, rounds: int) -> Case:
    """Measure a fetch that finds nothing new, over smart HTTP."""
    command = ["git", "ls-remote", "--quiet", "--refs", url, "refs/heads/main"]

    def ours() -> str:
        *_, last = service.stub.Fetch(git_pb2.FetchRequest(workspace_id="over-http"), metadata=META)
        return last.result.new_oid

    def floor() -> str:
        return _git(layout.remote.path, command[1:]).partition(b"\t")[0].decode()

    return _measured("no-op pull, against ls-remote of one ref over smart HTTP", ours, floor, rounds, 1.3)


def changed(service: GitProcess, layout: Layout, rounds: int) -> Case:
    """Measure paths and blobs of a commit that changed a few of many files."""
    mirror = service.mirror(layout.name)
    between = git_pb2.ListChangedPathsRequest(workspace_id=layout.name, old_oid=layout.first, new_oid=layout.second)
    command = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", layout.first, layout.second]

    def ours() -> dict[bytes, bytes]:
        answers = service.stub.ListChangedPaths(between, metadata=META)
        changes = [change for answer in answers for change in changes_in(answer)]
        request = git_pb2.ReadBlobsRequest(workspace_id=layout.name, oids=[change.blob for change in changes])
        blobs = blobs_in(service.stub.ReadBlobs(request, metadata=META), MAX_BLOB_BYTES)
        return {change.path: blob.data or b"" for change, blob in zip(changes, blobs, strict=True)}

    with _cat_file(mirror) as read:

        def floor() -> dict[bytes, bytes]:
            fields = _git(mirror, command).split(b"\0")
            return {path: read(head.split(b" ")[3]) for head, path in zip(fields[0::2], fields[1::2], strict=False)}

        assert len(floor()) == repositories.CHANGED
        name = f"10 of 100,000 changed, {layout.name}, against diff-tree + long-lived cat-file"
        return _measured(name, ours, floor, rounds, 1.2)


def all_blobs(service: GitProcess, layout: Layout, rounds: int) -> Case:
    """Measure reading every blob; what is read is consumed, not kept."""
    mirror = service.mirror(layout.name)
    listed = _git(mirror, ["ls-tree", "-r", "-z", layout.second]).split(b"\0")
    oids = [line[12:52].decode() for line in listed if line]
    assert len(oids) == repositories.COUNT
    asked = "".join(f"{oid}\n" for oid in oids).encode()

    def answers() -> Iterator[git_pb2.ReadBlobsResponse]:
        for start in range(0, len(oids), MAX_OIDS):
            request = git_pb2.ReadBlobsRequest(workspace_id=layout.name, oids=oids[start : start + MAX_OIDS])
            yield from service.stub.ReadBlobs(request, metadata=META)

    def ours() -> int:
        return sum(len(answer.data) for answer in answers())

    def floor() -> int:
        command = ["git", "-c", CACHE, "cat-file", "--batch", "--buffer"]
        (mirror.parent / "asked").write_bytes(asked)
        with (
            (mirror.parent / "asked").open("rb") as stdin,
            subprocess.Popen(command, cwd=mirror, stdin=stdin, stdout=subprocess.PIPE) as process,
        ):
            assert process.stdout
            read = 0
            while chunk := process.stdout.read(MEGABYTE):
                read += len(chunk)
        # Each blob comes with a line "name blob size" and a line end.
        return read - sum(len(f"{oid} blob {size}\n\n") for oid, size in zip(oids, sizes, strict=True))

    sizes = _same_blobs(layout, oids, answers())
    return _measured("all 100,000 blobs, against cat-file --batch --buffer", ours, floor, rounds, 1.5)


def _same_blobs(layout: Layout, oids: list[str], answers: Iterator[git_pb2.ReadBlobsResponse]) -> list[int]:
    """Check that what the service gives has the names that were asked for; give the sizes."""
    sizes: list[int] = []
    for oid, blob in zip(oids, blobs_in(answers, MAX_BLOB_BYTES), strict=True):
        data = b"blob %d\0" % blob.size + (blob.data or b"")
        assert hashlib.sha1(data, usedforsecurity=False).hexdigest() == oid, layout.name
        sizes.append(blob.size)
    return sizes


def commit(service: GitProcess, layout: Layout, rounds: int, goal: float) -> Case:
    """Measure a commit of a hundred edited records; fast-import makes the same in a copy of the mirror."""
    copy = service.mirror(layout.name).with_name(f"{layout.name}-copy")
    subprocess.run(["cp", "-r", service.mirror(layout.name), copy], check=True)
    rest = [0, 0]

    def edits(version: int) -> list[tuple[str, bytes]]:
        return [(layout.place(n), layout.content(n, version)) for n in repositories.edited(version)]

    def ours() -> str:
        rest[0] += 1
        return service.stub.CreateCommit(_commit_requests(layout, edits(rest[0]), rest[0]), metadata=META).tree_oid

    def floor() -> str:
        rest[1] += 1
        _git(copy, ["fast-import", "--quiet", "--force"], repositories.stream(edits(rest[1]), layout.second))
        # Where it is: not part of what is measured, but ``rev-parse`` is two milliseconds.
        return layout.name

    ours_seconds, floor_seconds = [], []
    for _ in range(rounds + 1):
        seconds, tree = _timed(ours)
        ours_seconds.append(seconds)
        seconds, _name = _timed(floor)
        floor_seconds.append(seconds)
        assert tree == _git(copy, ["rev-parse", "refs/heads/main^{tree}"]).decode().strip()
    # The first round finds files that nobody has read yet.
    name = f"commit of 100 records, {layout.name}, against fast-import"
    return compare(name, min(ours_seconds[1:]), min(floor_seconds[1:]), goal)


def _commit_requests(
    layout: Layout, edits: list[tuple[str, bytes]], time_: int
) -> Iterator[git_pb2.CreateCommitRequest]:
    header = git_pb2.CommitHeader(
        workspace_id=layout.name,
        base_oid=layout.second,
        message="Bench",
        author=PERSON,
        committer=PERSON,
        time=1_700_000_000 + time_,
        keep_as="bench",
    )
    yield git_pb2.CreateCommitRequest(header=header)
    parts = [git_pb2.TreeEdit(path=path.encode(), content=content) for path, content in edits]
    yield git_pb2.CreateCommitRequest(edits=git_pb2.CommitEdits(edits=parts))


def partial_clone(service: GitProcess, url: str, rounds: int, goal: float) -> Case:
    """Measure a partial clone and the reading of its records; the name says what a whole one comes to."""
    options = ["--no-tags", "--no-write-fetch-head", f"--filter={partial.FILTER}"]

    def ours(workspace: str) -> tuple[str, int]:
        service.stub.DropMirror(git_pb2.DropMirrorRequest(workspace_id=workspace), metadata=META)
        *_, last = service.stub.Fetch(git_pb2.FetchRequest(workspace_id=workspace), metadata=META)
        head = last.result.new_oid
        between = git_pb2.ListChangedPathsRequest(workspace_id=workspace, new_oid=head, folders=[b"data"])
        listed = service.stub.ListChangedPaths(between, metadata=META)
        oids = [change.blob for answer in listed for change in changes_in(answer)]
        request = git_pb2.ReadBlobsRequest(workspace_id=workspace, oids=oids)
        read = sum(len(answer.data) for answer in service.stub.ReadBlobs(request, metadata=META))
        return head, read

    def floor() -> tuple[str, int]:
        place = service.data / "floor.git"
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", "--bare", "--filter=blob:none", url, place], check=True)
        listed = _git(place, ["ls-tree", "-r", "-z", "HEAD", "data"]).split(b"\0")
        oids = b"".join(line[12:52] + b"\n" for line in listed if line)
        _git(place, ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "-q", *options, "--stdin", "origin"], oids)
        answer = _git(place, ["cat-file", "--batch", "--buffer"], oids)
        heads = sum(len(line) + 1 for line in _git(place, ["cat-file", "--batch-check"], oids).splitlines())
        return _git(place, ["rev-parse", "HEAD"]).decode().strip(), len(answer) - heads - oids.count(b"\n")

    whole_seconds, whole = _timed(lambda: ours(WHOLE))
    case = _measured("", lambda: ours(PARTIAL), floor, rounds, goal)
    assert whole == ours(PARTIAL)
    part_megabytes, whole_megabytes = (size_of(service.mirror(name)) / MEGABYTE for name in (PARTIAL, WHOLE))
    # What it is for, beside what it costs.
    name = (
        f"partial clone + reading records ({part_megabytes:.1f} MB; whole: {whole_seconds:.2f} s,"
        f" {whole_megabytes:.0f} MB), against git's own + one fetch of the blobs"
    )
    return replace(case, case=name)


@contextmanager
def _service(folder: Path) -> Iterator[tuple[GitProcess, Layout, Layout, str, str]]:
    remotes = folder / "git-remotes"
    remotes.mkdir()
    months = Layout(
        "by-month",
        *repositories.make(remotes / "months.git", months=True),
        repositories.by_month,
        repositories.record,
    )
    flat = Layout("flat", *repositories.make(remotes / "flat.git", months=False), repositories.flat, repositories.small)
    with git_host(remotes) as host:
        url = f"{host}/months.git"
        urls = {months.name: months.remote.url, flat.name: flat.remote.url, "over-http": url}
        repositories.make_small_part(remotes / "assets.git")
        urls[PARTIAL] = urls[WHOLE] = f"{host}/assets.git"
        with git_process(folder / "git-data", urls) as service:
            for workspace in set(urls) - {PARTIAL, WHOLE}:
                request = git_pb2.FetchRequest(workspace_id=workspace)
                *_, last = service.stub.Fetch(request, metadata=META)
                assert last.result.cloned
            yield service, months, flat, urls[PARTIAL], url


def _measured(name: str, ours: Callable[[], _T], floor: Callable[[], _T], rounds: int, goal: float) -> Case:
    """Measure both in turn; both must give the same each time."""
    assert ours() == floor()
    ours_seconds, floor_seconds = [], []
    for _ in range(rounds):
        seconds, one = _timed(ours)
        ours_seconds.append(seconds)
        seconds, other = _timed(floor)
        floor_seconds.append(seconds)
        assert one == other
    return compare(name, min(ours_seconds), min(floor_seconds), goal)


def _timed(work: Callable[[], _T]) -> tuple[float, _T]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _git(at: Path, args: list[str], stdin: bytes | None = None) -> bytes:
    environment = os.environ | {"GIT_DIR": str(at)}
    command = ["git", "-c", CACHE, *args]
    return subprocess.run(command, cwd=at, env=environment, input=stdin, capture_output=True, check=True).stdout


@contextmanager
def _cat_file(mirror: Path) -> Iterator[Callable[[bytes], bytes]]:
    """Give a function that reads a blob from a long-lived process."""
    command = ["git", "-c", CACHE, "cat-file", "--batch"]
    with subprocess.Popen(command, cwd=mirror, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin
        assert stdout

        def read(oid: bytes) -> bytes:
            stdin.write(oid + b"\n")
            stdin.flush()
            size = int(stdout.readline().split()[2])
            return stdout.read(size + 1)[:-1]

        yield read
        stdin.close()
