"""From messages about single files, diffs and tags to domain values and back."""

from collections.abc import Iterator
from typing import Final

from protos.common.v1 import common_pb2
from protos.git.v1 import git_pb2
from services.core.errors import InvalidInputError
from services.git import blame, convert, diffs, names, restoring, tags, versions
from services.git.making import Edit, Header
from services.git.mirror import Mirror
from services.runtime.identity import Identity

_BATCH_BYTES: Final = 512 * 1024
_LINE_OVERHEAD: Final = 8
_HUNK_OVERHEAD: Final = 256


def version(value: versions.Version) -> git_pb2.PathVersion:
    """Give the message of a version."""
    return git_pb2.PathVersion(
        commit=convert.commit(value.commit),
        kind=convert.kind(value.status),
        path=value.path,
        old_path=value.old_path,
        blob_oid=value.blob,
    )


def diff(mirror: Mirror, request: git_pb2.DiffRequest) -> Iterator[git_pb2.DiffResponse]:
    """Give the messages of the diff that is asked for."""
    old = names.optional_oid(request.old_oid, "old_oid")
    shape = _shape(request)
    if request.WhichOneof("new") == "content":
        edit = request.content
        if shape.paths:
            raise InvalidInputError("content is compared with its own path", remedy="leave out paths")
        content = None if edit.delete else edit.content
        pieces = diffs.against(mirror, old, Edit(names.path(edit.path), content), shape)
    else:
        pieces = diffs.between(mirror, old, names.oid(request.new_oid, "new_oid"), shape)
    for data, truncated in pieces:
        yield git_pb2.DiffResponse(data=data, truncated=truncated)


def blamed(hunks: Iterator[blame.Hunk]) -> Iterator[git_pb2.BlameResponse]:
    """Give the messages of a blame, about 1 MiB each; a hunk that is longer is cut."""
    batch: list[git_pb2.BlameHunk] = []
    size = 0
    for hunk in hunks:
        start = 0
        while start < len(hunk.lines):
            end, size = _room(hunk.lines, start, size + _HUNK_OVERHEAD)
            batch.append(_part(hunk, start, end))
            start = end
            if size >= _BATCH_BYTES:
                yield git_pb2.BlameResponse(hunks=batch)
                batch, size = [], 0
    if batch:
        yield git_pb2.BlameResponse(hunks=batch)


def tag(value: tags.Tag) -> git_pb2.Tag:
    """Give the message of a tag."""
    return git_pb2.Tag(
        name=value.name,
        target_oid=value.target,
        tag_oid=value.tag_oid,
        tagger=convert.person_message(value.tagger) if value.tagger else None,
        time=value.time,
        message=value.message,
    )


def restoring_header(request: git_pb2.RestorePathRequest, caller: Identity) -> Header:
    """Give the commit that is asked for; a person can be the author of their own commits only."""
    if caller.service:
        author = convert.person(request.author, "author")
        committer = convert.person(request.committer, "committer") if request.HasField("committer") else author
    else:
        author = committer = convert.person(_own(caller), "author")
    path, from_oid = names.path(request.path), names.oid(request.from_oid, "from_oid")
    return Header(
        base=names.oid(request.base_oid, "base_oid"),
        message=request.message or restoring.message_of(path, from_oid),
        author=author,
        committer=committer,
        time=request.time,
        keep_as=names.ref_part(request.keep_as, "keep_as") if request.keep_as else "",
    )


def place(mirror: Mirror, request: git_pb2.RestorePathRequest) -> restoring.Place | None:
    """Give where a restored path is pushed to; None when nothing is."""
    if not request.push_branch:
        return None
    old = names.optional_oid(request.expected_old_oid, "expected_old_oid")
    return restoring.Place(mirror.push_remote(), names.branch(request.push_branch, "push_branch"), old)


def _own(caller: Identity) -> common_pb2.Person:
    return common_pb2.Person(
        name=caller.name or caller.username, email=caller.email or f"{caller.username}@lockstep.invalid"
    )


def _shape(request: git_pb2.DiffRequest) -> diffs.Shape:
    context = request.context_lines if request.HasField("context_lines") else diffs.DEFAULT_CONTEXT
    if not 0 <= context <= diffs.MOST_CONTEXT:
        raise InvalidInputError("context_lines is out of range", remedy=f"give 0 to {diffs.MOST_CONTEXT}")
    if not 0 <= request.max_bytes <= diffs.MOST_BYTES:
        raise InvalidInputError("max_bytes is out of range", remedy=f"give at most {diffs.MOST_BYTES}")
    paths = names.readable_paths(list(request.paths), "paths")
    return diffs.Shape(paths, request.find_renames, context, request.max_bytes or diffs.DEFAULT_BYTES)


def _room(lines: list[bytes], start: int, size: int) -> tuple[int, int]:
    """Give how far lines go until a message is full, one at least, and its size then."""
    end = start
    while end < len(lines) and (size < _BATCH_BYTES or end == start):
        size += len(lines[end]) + _LINE_OVERHEAD
        end += 1
    return end, size


def _part(hunk: blame.Hunk, start: int, end: int) -> git_pb2.BlameHunk:
    return git_pb2.BlameHunk(
        commit_oid=hunk.origin.commit,
        author=convert.person_message(hunk.origin.author),
        time=hunk.origin.time,
        summary=hunk.origin.summary,
        path=hunk.path,
        first_line=hunk.first_line + start,
        original_line=hunk.original_line + start,
        lines=hunk.lines[start:end],
    )
