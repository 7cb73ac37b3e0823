"""Messages about files in Git to API models."""

import base64
from collections.abc import Iterable
from typing import Final

from gateway import models
from gateway.convert import shown
from gateway.models.files import ChangeName
from protos.git.v1 import git_pb2

_CHANGES: Final[dict[int, ChangeName]] = {
    git_pb2.CHANGE_KIND_ADDED: "added",
    git_pb2.CHANGE_KIND_DELETED: "deleted",
    git_pb2.CHANGE_KIND_RENAMED: "renamed",
}


def version(message: git_pb2.PathVersion) -> models.FileVersion:
    """Give the model of a file's version."""
    commit = message.commit
    return models.FileVersion(
        commit=commit.oid,
        parents=list(commit.parent_oids),
        author=commit.author.name,
        author_email=commit.author.email,
        time=commit.time,
        committer=commit.committer.name,
        committer_email=commit.committer.email,
        commit_time=commit.commit_time,
        message=commit.message,
        signed=commit.signed,
        change=_CHANGES.get(message.kind, "modified"),
        path=shown(message.path),
        old_path=shown(message.old_path),
        blob=message.blob_oid,
    )


def content(path: bytes, commit: str, message: git_pb2.ReadFileResponse) -> models.FileContent:
    """Give the model of a file's content."""
    try:
        text, binary = message.content.decode("utf-8"), False
    except UnicodeDecodeError:
        text, binary = base64.b64encode(message.content).decode("ascii"), True
    return models.FileContent(
        path=shown(path),
        commit=commit,
        blob=message.blob_oid,
        mode=f"{message.mode:06o}",
        size=len(message.content),
        encoding="base64" if binary else "utf-8",
        content=text,
    )


def blame(path: bytes, commit: str, messages: Iterable[git_pb2.BlameHunk]) -> models.Blame:
    """Give the model of the origins of a file's lines."""
    hunks = [
        models.BlameHunk(
            commit=message.commit_oid,
            author=message.author.name,
            author_email=message.author.email,
            time=message.time,
            summary=message.summary,
            path=shown(message.path),
            first_line=message.first_line,
            lines=[line.decode("utf-8", "replace") for line in message.lines],
        )
        for message in messages
    ]
    return models.Blame(path=shown(path), commit=commit, hunks=hunks)


def tag(message: git_pb2.Tag) -> models.Tag:
    """Give the model of a tag."""
    return models.Tag(
        name=shown(message.name),
        commit=message.target_oid,
        annotated=bool(message.tag_oid),
        tagger=message.tagger.name,
        time=message.time,
        message=message.message,
    )
