"""From messages to domain values and back."""

from collections.abc import Generator, Iterable, Iterator
from typing import Final, TypeVar

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2
from services.core.errors import InvalidInputError
from services.core.paths import MAX_PATH_BYTES
from services.git import commits, names
from services.git.blobs import Batch
from services.git.making import Edit, Header
from services.git.mirror import Fetched, Mirror
from services.git.remotes import Remote
from services.git.transfer import Step
from services.git.tree_diff import Change

_R = TypeVar("_R")

MAX_OIDS: Final = 10_000
CHANGES_A_MESSAGE: Final = 5000
_CHANGES_BYTES: Final = 1024 * 1024
_CHANGE_OVERHEAD: Final = 110
_KINDS: Final = {
    "A": git_pb2.CHANGE_KIND_ADDED,
    "D": git_pb2.CHANGE_KIND_DELETED,
    "R": git_pb2.CHANGE_KIND_RENAMED,
}


def remote(
    mirror: Mirror,
    value: git_pb2.Remote.ValueType,
    unsaid: git_pb2.Remote.ValueType = git_pb2.REMOTE_TARGET,
) -> Remote:
    """Give the remote that a message means; ``unsaid`` where it does not say."""
    meant = value or unsaid
    return mirror.push_remote() if meant == git_pb2.REMOTE_PUSH else mirror.target()


def header_and_edits(requests: Iterator[git_pb2.CreateCommitRequest]) -> tuple[str, Header, Iterator[Edit]]:
    """Give workspace id, header and edits of a stream; InvalidInputError when the header is not first."""
    first = next(requests, None)
    if first is None or first.WhichOneof("part") != "header":
        raise InvalidInputError("the first message must be the commit's header", remedy="send the header first")
    said = first.header
    header = Header(
        base=names.oid(said.base_oid, "base_oid"),
        message=said.message,
        author=person(said.author, "author"),
        committer=person(said.committer, "committer"),
        time=said.time,
        keep_as=names.ref_part(said.keep_as, "keep_as") if said.keep_as else "",
        author_time=said.author_time,
    )
    return said.workspace_id, header, _edits(requests)


def person(value: common_pb2.Person, field: str) -> commits.Person:
    """Give the person of a message; raise InvalidInputError when name or address is empty."""
    return commits.person(value.name, value.email, field)


def oids(request: git_pb2.ReadBlobsRequest) -> list[str]:
    """Give the blobs of a request; raise InvalidInputError for more than MAX_OIDS or a bad name."""
    if len(request.oids) > MAX_OIDS:
        raise InvalidInputError(f"more than {MAX_OIDS} blobs in one call", remedy="make several calls")
    return [names.oid(oid, "oids") for oid in request.oids]


def folders(values: Iterable[bytes]) -> list[bytes]:
    """Give the folders of a request, checked."""
    return names.readable_paths(list(values), "folders")


def kind(status: str) -> git_pb2.ChangeKind.ValueType:
    """Give the kind of change that git's letter stands for."""
    return _KINDS.get(status, git_pb2.CHANGE_KIND_MODIFIED)


def changes(values: Iterator[Change]) -> Iterator[git_pb2.ListChangedPathsResponse]:
    """Give changes in messages of at most CHANGES_A_MESSAGE of them and about 1 MiB."""
    batch: list[Change] = []
    size = 0
    for value in values:
        batch.append(value)
        size += len(value.path) + len(value.old_path) + _CHANGE_OVERHEAD
        if len(batch) >= CHANGES_A_MESSAGE or size >= _CHANGES_BYTES - _CHANGE_OVERHEAD - 2 * MAX_PATH_BYTES:
            yield _columns(batch)
            batch, size = [], 0
    if batch:
        yield _columns(batch)


def _columns(batch: list[Change]) -> git_pb2.ListChangedPathsResponse:
    old = [value for value in batch if value.status != b"A"]
    new = [value for value in batch if value.status != b"D"]
    return git_pb2.ListChangedPathsResponse(
        statuses=b"".join([value.status for value in batch]),
        paths=b"".join([value.path + b"\0" for value in batch]),
        old_blobs=b"".join([value.old_blob for value in old]),
        new_blobs=b"".join([value.new_blob for value in new]),
        old_modes=[value.old_mode for value in old],
        new_modes=[value.new_mode for value in new],
        old_paths=b"".join([value.old_path + b"\0" for value in old if value.status == b"R"]),
    )


def blob_batch(batch: Batch) -> git_pb2.ReadBlobsResponse:
    """Give the message of a batch of blobs."""
    return git_pb2.ReadBlobsResponse(sizes=batch.sizes, data=batch.data)


def commit(value: commits.Commit) -> git_pb2.Commit:
    """Give the message of a commit."""
    return git_pb2.Commit(
        oid=value.oid,
        parent_oids=value.parents,
        author=person_message(value.author),
        time=value.time,
        message=value.message,
        committer=person_message(value.committer),
        commit_time=value.commit_time,
        signed=value.signed,
    )


def person_message(value: commits.Person) -> common_pb2.Person:
    """Give the message of a person."""
    return common_pb2.Person(name=value.name, email=value.email)


def progress(step: Step) -> common_pb2.Progress:
    """Give the message of a step."""
    return common_pb2.Progress(phase=step.phase, done=step.done, total=step.total, message=step.message)


def fetched(steps: Generator[Step, None, Fetched]) -> Iterator[git_pb2.FetchResponse]:
    """Give the messages of a fetch, the result last."""
    end: list[Fetched] = []
    for step in _ending(steps, end):
        yield git_pb2.FetchResponse(progress=progress(step))
    result = git_pb2.FetchResult(old_oid=end[0].old, new_oid=end[0].new, cloned=end[0].cloned)
    yield git_pb2.FetchResponse(result=result)


def pushed(steps: Generator[Step, None, bool]) -> Iterator[git_pb2.PushResponse]:
    """Give the messages of a push, the result last."""
    end: list[bool] = []
    for step in _ending(steps, end):
        yield git_pb2.PushResponse(progress=progress(step))
    yield git_pb2.PushResponse(result=git_pb2.PushResult(moved=end[0]))


def _edits(requests: Iterator[git_pb2.CreateCommitRequest]) -> Iterator[Edit]:
    for request in requests:
        for edit in request.edits.edits:
            yield Edit(names.path(edit.path), None if edit.delete else edit.content)


def _ending(steps: Generator[Step, None, _R], end: list[_R]) -> Iterator[Step]:
    end.append((yield from steps))
