"""What the HTTP API says and takes. Times are seconds since the epoch; integers are JSON integers.

The content of a record and the values of a conflict are JSON as they are, every digit kept.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ForgeName = Literal["plain", "github", "gitlab"]
RoleName = Literal["viewer", "editor", "reviewer", "admin", "operator"]
IdRuleName = Literal["field", "stem", "path"]
SyncStateName = Literal["synced", "pending", "proposed", "conflict"]


class _Answer(BaseModel):
    """Base of what the API says."""


class _Request(BaseModel):
    """Base of what the API takes: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Workspace(_Answer):
    """One repository and branch. ``upstream`` is empty where there is none."""

    id: str
    name: str
    repo: str
    branch: str
    upstream: str
    forge: ForgeName
    has_credential: bool
    created_at: int


class Collection(_Answer):
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


class NewCollection(_Request):
    """Settings of a collection; what is left out takes its default."""

    name: str
    path: str = ""
    include: list[str] = []
    exclude: list[str] = []
    id: IdRuleName | None = None
    new_path: str = ""
    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    quality: Any = None


class NewWorkspace(_Request):
    """A workspace to add, with its collections; all or nothing."""

    name: str
    repo: str
    branch: str = ""
    upstream: str = ""
    forge: ForgeName | None = None
    token: str = Field(default="", repr=False)
    collections: list[NewCollection] = []


class WorkspaceChange(_Request):
    """Fields to change; the others stay."""

    repo: str | None = None
    branch: str | None = None
    upstream: str | None = None
    forge: ForgeName | None = None


class Credential(_Request):
    """A token for remote and forge."""

    token: str = Field(repr=False)
    username: str = ""


class Project(_Answer):
    """A repository as its forge describes it."""

    id: str
    name: str
    path: str
    http_url: str
    lfs_enabled: bool
    permission: str
    default_branch: str


class Record(_Answer):
    """One document. ``content`` is null in lists unless asked for; ``quality`` is null without rules."""

    id: str
    collection: str
    path: str
    title: str
    revision: int
    state: SyncStateName
    deleted: bool
    quality: float | None
    publication_id: str
    base_blob: str
    file_quarantined: bool
    updated_by: str
    updated_at: int
    content: dict[str, Any] | None = None
    base: dict[str, Any] | None = None


class RecordPage(_Answer):
    """A page of records. ``total`` is given on the first page."""

    records: list[Record]
    total: int
    next_page: str


class NewRecord(_Request):
    """A record to add. Its id is taken from the content's field ``id`` when empty."""

    content: dict[str, Any]
    collection: str = ""
    id: str = ""


class FieldEdit(_Request):
    """One change: a new ``value``, or ``remove``."""

    pointer: str
    value: Any = None
    remove: bool = False


class RecordChange(_Request):
    """Fields to change, or a whole new content. ``expected_revision`` 0 takes any."""

    edits: list[FieldEdit] = []
    content: dict[str, Any] | None = None
    expected_revision: int = 0
    known_fields_only: bool = False
    collection: str = ""


class Revision(_Answer):
    """One version of a record."""

    revision: int
    reason: str
    author: str
    time: int
    changed: list[str]
    content: dict[str, Any] | None


class RevisionPage(_Answer):
    """Versions, newest first."""

    revisions: list[Revision]
    next_page: str


class Finding(_Answer):
    """One thing that a schema or a rule finds wrong."""

    record: str
    pointer: str
    rule: str
    message: str
    error: bool


class Validation(_Answer):
    """What the collections' schemas and rules find."""

    checked: int
    passed: int
    findings: list[Finding]


class ValidationRequest(_Request):
    """Which records to look at; all when empty."""

    collection: str = ""
    records: list[str] = []


class ImportRequest(_Request):
    """How to import: ``plan`` only says what would be done."""

    plan: bool = False


class Counts(_Answer):
    """What an import did, in files and records."""

    files: int
    imported: int
    updated: int
    deleted: int
    renamed: int
    unchanged: int
    conflicts: int
    quarantined: int
    excluded: int


class Run(_Answer):
    """One import."""

    id: str
    kind: str
    state: Literal["running", "succeeded", "failed", "planned"]
    commit: str
    old_commit: str
    counts: Counts
    error: str
    started_by: str
    started_at: int
    finished_at: int


class RunPage(_Answer):
    """Runs, newest first."""

    runs: list[Run]
    next_page: str


class Status(_Answer):
    """Whether database and Git are in step; the remote was asked for this answer."""

    in_sync: bool
    remote_commit: str
    imported_commit: str
    commits_behind: int | None
    pending: int
    proposed: int
    conflicts: int
    quarantined: int
    records: int
    last_sync: int | None
    open_pull_requests: int


class Conflict(_Answer):
    """A field that changed differently. A side that is absent has no value: its ``has_…`` is false."""

    id: str
    record: str
    collection: str
    field: str
    state: str
    base: Any
    ours: Any
    theirs: Any
    has_base: bool
    has_ours: bool
    has_theirs: bool
    run: str
    created_at: int
    resolved_by: str


class ConflictPage(_Answer):
    """Conflicts, oldest first."""

    conflicts: list[Conflict]
    next_page: str


class Resolution(_Request):
    """How to settle a conflict: a side, or a value."""

    take: Literal["ours", "theirs"] | None = None
    value: Any = None


class Resolved(_Answer):
    """A settled conflict and its record as it is now."""

    conflict: Conflict
    record: Record


class QuarantinedFile(_Answer):
    """A file that could not become a record. ``line`` 0 where it means nothing."""

    path: str
    collection: str
    rule: str
    line: int
    column: int
    pointer: str
    message: str
    blob: str
    other_paths: list[str]


class QuarantinePage(_Answer):
    """Files by path. ``total`` is given on the first page."""

    files: list[QuarantinedFile]
    total: int
    next_page: str


class PublicationItem(_Answer):
    """One record of a publication. ``merged_at`` 0 before the target branch holds it."""

    record: str
    collection: str
    revision: int
    path: str
    action: str
    blob: str
    merged_at: int
    title: str


class Publication(_Answer):
    """Records on their way to the target branch. ``body`` and ``items`` are filled in for one, not in lists."""

    id: str
    workspace_id: str
    state: Literal["requested", "planned", "committed", "pushed", "opened", "merged", "closed", "failed"]
    branch: str
    base: str
    commit: str
    pr_number: int
    pr_url: str
    title: str
    body: str
    events_count: int
    merged_count: int
    created_by: str
    created_at: int
    updated_at: int
    error: str
    items: list[PublicationItem]


class PublicationPage(_Answer):
    """Publications, newest first."""

    publications: list[Publication]
    next_page: str


class NewPublication(_Request):
    """What to publish; all pending records when ``records`` is empty."""

    records: list[str] = []
    title: str = ""
    description: str = ""


class Merged(_Answer):
    """A merged publication and its merge commit."""

    publication: Publication
    merge_commit: str


class User(_Answer):
    """A person of a tenant."""

    id: str
    username: str
    name: str
    email: str
    role: RoleName
    created_at: int


class Me(_Answer):
    """The signed-in user."""

    user: User
    tenant_id: str


class NewUser(_Request):
    """A person to add."""

    username: str
    name: str
    email: str
    role: RoleName = "editor"


class UserPage(_Answer):
    """Users by sign-in name."""

    users: list[User]
    next_page: str


class UserWithToken(_Answer):
    """A new user and the first token, shown once."""

    user: User
    token: str


class Tenant(_Answer):
    """A team."""

    id: str
    name: str
    created_at: int


class TenantPage(_Answer):
    """Tenants by name."""

    tenants: list[Tenant]
    next_page: str


class NewTenant(_Request):
    """A team to add with its first administrator."""

    name: str
    admin_username: str
    admin_name: str
    admin_email: str


class TenantWithToken(_Answer):
    """A new tenant and its administrator's token, shown once."""

    tenant: Tenant
    admin_token: str


class Session(_Answer):
    """A sign-in or access token, without the token."""

    id: str
    label: str
    created_at: int
    expires_at: int


class SessionPage(_Answer):
    """Sessions, newest first."""

    tokens: list[Session]
    next_page: str


class NewToken(_Request):
    """An access token to make; 30 days when ``ttl_seconds`` is 0."""

    label: str = ""
    ttl_seconds: int = Field(default=0, ge=0)


class TokenOnce(_Answer):
    """A new access token, shown once."""

    token: str
    session: Session


class LoginTicket(_Answer):
    """An address that signs a browser in, once, within ten minutes."""

    url: str
    expires_in: int


class ForgeToken(_Request):
    """A personal access token to check at its forge."""

    forge: Literal["github", "gitlab"]
    token: str = Field(repr=False)
    base_url: str = ""


class ForgeProfile(_Answer):
    """Whose a token is. ``expires_at`` is 0 where the forge does not say."""

    id: str
    username: str
    name: str
    email: str
    scopes: list[str]
    expires_at: int


class AuditEvent(_Answer):
    """One thing that was done."""

    id: str
    time: int
    actor: str
    action: str
    subject: str


class AuditPage(_Answer):
    """What was done, newest first."""

    events: list[AuditEvent]
    next_page: str
