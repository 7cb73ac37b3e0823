"""The first half of an import: what changed in Git below each collection, read and parsed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from protos.git.v1 import git_pb2
from services.core.collection import BadIdError, Collection
from services.core.errors import NotFoundError, StateError, UnavailableError
from services.core.formats import format_of
from services.core.importing import ParsedFile, RejectedFile
from services.core.paths import path_problem
from services.core.schema import validate
from services.core.values import ParseError
from services.sync.git_client import Blob, GitClient
from services.sync.store import Scope, StoredCollection

REGULAR: Final = frozenset({0o100644, 0o100755, 0o100664})
UNRANKED: Final = 1_000_000


@dataclass
class Gathered:
    """One collection's changes.

    ``blobs`` maps the path of each file to read to its blob, ``ranks`` to the number of the pattern that
    took it; ``full`` says that the listing is the whole folder, so that what is not in it is gone.
    """

    stored: StoredCollection
    full: bool
    blobs: dict[bytes, str] = field(default_factory=dict)
    ranks: dict[bytes, int] = field(default_factory=dict)
    removed: set[bytes] = field(default_factory=set)
    renames: dict[bytes, bytes] = field(default_factory=dict)
    files: list[ParsedFile | RejectedFile] = field(default_factory=list)
    listed: int = 0
    excluded: int = 0

    @property
    def collection(self) -> Collection:
        """Give the collection's rules."""
        return self.stored.collection

    @property
    def touched(self) -> set[bytes]:
        """Give every path that changed and that the patterns take."""
        return self.removed | self.blobs.keys() | {file.path for file in self.files}

    @property
    def ids(self) -> set[str]:
        """Give the ids that the parsed files ask for."""
        return {file.id for file in self.files if isinstance(file, ParsedFile)}


def list_changes(
    git: GitClient,
    scope: Scope,
    commit: str,
    collections: Sequence[StoredCollection],
) -> list[Gathered]:
    """Ask git what changed since each collection's commit.

    Raises StateError when a folder that was never imported is not in the branch.
    """
    groups: dict[str, list[StoredCollection]] = {}
    for stored in collections:
        groups.setdefault(stored.imported_commit, []).append(stored)
    return [found for old, group in groups.items() for found in _list_group(git, scope, old, commit, group)]


def parse_files(gathered: Gathered, files: Iterable[tuple[bytes, Blob]]) -> Iterator[ParsedFile | RejectedFile]:
    """Parse and validate files of a collection, given as path and blob."""
    collection, ranks = gathered.collection, gathered.ranks
    return (parse_file(collection, path, blob, ranks.get(path)) for path, blob in files)


def parse_file(collection: Collection, path: bytes, blob: Blob, rank: int | None) -> ParsedFile | RejectedFile:
    """Give the record in a file, or why there is none."""
    form = format_of(path)
    if blob.size < 0:
        # The mirror is damaged, not the file: the next fetch rebuilds it.
        raise UnavailableError(
            f"the mirror lacks the content of '{path.decode('utf-8', 'replace')}'",
            remedy="run `lockstep git-pull` again; nothing was changed",
            reason="MISSING_BLOB",
        )
    if blob.data is None or form is None:
        message = f"the file has {blob.size} bytes; raise git.max_file_bytes or make it smaller"
        return RejectedFile(path, blob.oid, "too-large", message)
    try:
        value, content = form.parse_canonical(blob.data)
        record_id = collection.id_of(path, value)
    except ParseError as error:
        return RejectedFile(path, blob.oid, error.rule, error.message, error.line, error.column)
    except BadIdError as error:
        return RejectedFile(path, blob.oid, "id", str(error), pointer="/id")
    findings = validate(collection.schema, value)
    if findings:
        first = findings[0]
        return RejectedFile(path, blob.oid, "schema", first.message, pointer=first.pointer, record_id="")
    if rank is None:
        rank = collection.rank(path)
    return ParsedFile(path, blob.oid, blob.data, record_id, value, UNRANKED if rank is None else rank, content)


def _list_group(
    git: GitClient,
    scope: Scope,
    old: str,
    commit: str,
    group: Sequence[StoredCollection],
) -> list[Gathered]:
    if old == commit:
        return []
    # Folders of one group may overlap; git takes a path once whatever it matches.
    folders = [] if any(not s.collection.path for s in group) else [s.collection.path for s in group]
    found = [Gathered(stored, full=not old) for stored in group]
    try:
        for change in git.changed_paths(scope, old, commit, folders):
            for gathered in found:
                _sort_in(gathered, change)
    except (NotFoundError, StateError) as error:
        if not old or error.reason != "UNKNOWN_COMMIT":
            raise
        # History was rewritten and the old commit is gone: read the folders as a whole.
        return _list_group(git, scope, "", commit, [StoredCollection(s.collection, "") for s in group])
    for gathered in found:
        if not old and not gathered.listed and gathered.collection.path:
            raise StateError(
                f"the branch has no folder '{gathered.collection.path}' (collection '{gathered.collection.name}')",
                remedy="name a folder that exists with `lockstep workspace set NAME --collection NAME=PATH`",
                reason="NO_FOLDER",
            )
    return found


def _sort_in(gathered: Gathered, change: git_pb2.ChangedPath) -> None:
    collection = gathered.collection
    kind = change.kind
    inside = collection.contains(change.path)
    renamed = kind == git_pb2.CHANGE_KIND_RENAMED
    if renamed and collection.contains(change.old_path) and collection.rank(change.old_path) is not None:
        gathered.removed.add(change.old_path)
        if inside:
            gathered.renames[change.path] = change.old_path
        else:
            gathered.listed += 1
    if not inside:
        return
    gathered.listed += 1
    rank = collection.rank(change.path)
    if rank is None:
        gathered.excluded += 1
    elif kind == git_pb2.CHANGE_KIND_DELETED:
        gathered.removed.add(change.path)
    elif change.new_mode not in REGULAR:
        message = "this is a symbolic link or a submodule; put a file in its place"
        gathered.files.append(RejectedFile(change.path, change.new_blob, "not-a-file", message))
    elif problem := path_problem(change.path):
        message = f"the path {problem}; rename the file"
        gathered.files.append(RejectedFile(change.path, change.new_blob, "unsafe-path", message))
    else:
        gathered.blobs[change.path] = change.new_blob
        gathered.ranks[change.path] = rank
