"""Workspaces and their collections."""

from typing import Any

from pydantic import ConfigDict, Field

from gateway.models.base import Answer, ForgeName, IdRuleName, Request, ReviewName


class Workspace(Answer):
    """One repository and branch. ``upstream`` is empty where there is none."""

    id: str
    name: str
    repo: str
    branch: str
    upstream: str
    forge: ForgeName
    has_credential: bool
    created_at: int
    # Public halves, as in an authorized_keys file; empty where no key is stored.
    ssh_key: str = ""
    signing_key: str = ""
    # Whether the contents of files are fetched when they are first read.
    partial_clone: bool = False
    # Seconds between two looks at the remote; 0 is never, null as the installation has it.
    poll_seconds: int | None = None


class Brake(Answer):
    """More deletions than ``records``, or than ``percent`` of a collection, need a person."""

    records: int
    percent: int


class NewBrake(Request):
    """How much an import may delete before a person has to confirm; what is left out takes its default."""

    records: int | None = Field(default=None, ge=0, le=1_000_000_000)
    percent: int | None = Field(default=None, ge=0, le=100)


class Collection(Answer):
    """A folder and pattern whose files are records. ``schema`` and ``quality`` are JSON; null where unset."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    path: str
    include: list[str]
    exclude: list[str]
    id_rule: IdRuleName
    new_path: str
    schema_: Any = Field(default=None, serialization_alias="schema")
    quality: Any = None
    merge: Any = None
    # Only validated records are published.
    review: ReviewName = "off"
    # Where the schema is in the repository, and the blob it was read from; empty where it is not there.
    schema_path: str = ""
    schema_blob: str = ""
    brake: Brake


class NewCollection(Request):
    """Settings of a collection; what is left out takes its default."""

    name: str
    path: str = ""
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    id: IdRuleName | None = None
    new_path: str = ""
    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    quality: Any = None
    # How fields merge: a mapping of fields to "set", "whole", "lines" or {"key": FIELD}.
    merge: dict[str, Any] | None = None
    review: ReviewName = "off"
    schema_path: str = ""
    brake: NewBrake | None = None


class NewWorkspace(Request):
    """A workspace to add, with its collections; all or nothing."""

    name: str
    repo: str
    branch: str = ""
    upstream: str = ""
    forge: ForgeName | None = None
    token: str = Field(default="", repr=False)
    partial_clone: bool = False
    poll_seconds: int | None = None
    collections: list[NewCollection] = Field(default_factory=list)


class WorkspaceChange(Request):
    """Fields to change; the others stay."""

    repo: str | None = None
    branch: str | None = None
    upstream: str | None = None
    forge: ForgeName | None = None
    partial_clone: bool | None = None
    # 0 is never, below 0 as the installation has it.
    poll_seconds: int | None = None


class Credential(Request):
    """A token for remote and forge."""

    token: str = Field(repr=False)
    username: str = ""


class Project(Answer):
    """A repository as its forge describes it."""

    id: str
    name: str
    path: str
    http_url: str
    lfs_enabled: bool
    permission: str
    default_branch: str
