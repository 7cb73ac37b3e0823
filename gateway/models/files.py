"""Files in Git: their content, history, origins and differences; tags; what was restored."""

from typing import Literal

from pydantic import Field

from gateway.models.base import Answer, Request

ChangeName = Literal["added", "modified", "deleted", "renamed"]
KeyName = Literal["ssh", "signing"]


class Commit(Answer):
    """One commit. ``signed`` says that it carries a signature, not whose."""

    commit: str
    parents: list[str]
    author: str
    author_email: str
    time: int
    committer: str
    committer_email: str
    commit_time: int
    message: str
    signed: bool


class FileVersion(Commit):
    """A commit that changed a file, and what the file was then. ``old_path`` is given for a rename."""

    change: ChangeName
    path: str
    old_path: str
    blob: str


class FileHistory(Answer):
    """A page of a file's versions, newest first."""

    path: str
    versions: list[FileVersion]
    next_page: str


class FileContent(Answer):
    """A file at a commit. Content that is no UTF-8 comes as base64. ``mode`` is as in Git, for example 100644."""

    path: str
    commit: str
    blob: str
    mode: str
    size: int
    encoding: Literal["utf-8", "base64"]
    content: str


class BlameHunk(Answer):
    """Neighbouring lines that the same commit wrote. ``path`` is what the file was called in it."""

    commit: str
    author: str
    author_email: str
    time: int
    summary: str
    path: str
    first_line: int
    lines: list[str]


class Blame(Answer):
    """Who last changed each line of a file."""

    path: str
    commit: str
    hunks: list[BlameHunk]


class Diff(Answer):
    """A unified diff as git writes it; bytes that are no UTF-8 are replaced. ``truncated``: there is more."""

    old: str
    new: str
    patch: str
    truncated: bool


class DiffRequest(Request):
    """Content to compare with a file at a commit; the target branch as last fetched when that is empty."""

    path: str
    content: str
    commit: str = ""


class Tag(Answer):
    """A tag and the commit it stands for; who made it and what it says only where it has an annotation."""

    name: str
    commit: str
    annotated: bool
    tagger: str
    time: int
    message: str


class TagPage(Answer):
    """A page of tags by name."""

    tags: list[Tag]
    next_page: str


class PathRestoration(Request):
    """What to put back to what it was at a commit, and the branch of the push repository to put it on."""

    path: str
    commit: str
    branch: str = ""
    message: str = ""


class RestoredPath(Answer):
    """The commit that was made; the branch's head and not pushed where the path was the same already."""

    commit: str
    branch: str
    pushed: bool


class RecordRestoration(Request):
    """The ``commit`` or the ``revision`` that a record is to be put back to; ``expected_revision`` 0 takes any."""

    commit: str = ""
    revision: int = Field(default=0, ge=0)
    collection: str = ""
    expected_revision: int = 0


class WorkspaceKey(Request):
    """An SSH key; what is empty stays as it is stored. ``known_hosts`` goes with the key for ssh remotes."""

    private_key: str = Field(default="", repr=False)
    known_hosts: str = ""


class PublicKey(Answer):
    """The public half of a key that was stored."""

    public_key: str
    fingerprint: str
