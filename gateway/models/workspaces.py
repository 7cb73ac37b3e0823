"""Workspaces and their collections."""

from typing import Any

from pydantic import ConfigDict, Field

from gateway.models.base import Answer, ForgeName, IdRuleName, Request


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


class NewWorkspace(Request):
    """A workspace to add, with its collections; all or nothing."""

    name: str
    repo: str
    branch: str = ""
    upstream: str = ""
    forge: ForgeName | None = None
    token: str = Field(default="", repr=False)
    collections: list[NewCollection] = Field(default_factory=list)


class WorkspaceChange(Request):
    """Fields to change; the others stay."""

    repo: str | None = None
    branch: str | None = None
    upstream: str | None = None
    forge: ForgeName | None = None


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
