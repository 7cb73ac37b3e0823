"""The first half of an import: what changed in Git below each collection, read and parsed."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import msgspec

from services.core.collection import BadIdError, Collection
from services.core.errors import NotFoundError, StateError, UnavailableError
from services.core.formats import format_of
from services.core.importing import ParsedFile, RejectedFile
from services.core.paths import path_problem
from services.core.schema import validate
from services.core.values import ParseError
from services.sync.deriving import derived
from services.sync.git_client import Blob, Change, GitClient
from services.sync.spool import Spool
from services.sync.store import Scope, StoredCollection

REGULAR: Final = frozenset({0o100644, 0o100755, 0o100664})
UNRANKED: Final = 1_000_000
# As many as are asked for in one message.
_ENTRIES: Final = 1_000


class Entry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A file to read; ``rank`` is the number of the pattern that took it."""

    path: bytes
    blob: str
    rank: int


@dataclass
class Gathered:
    """One collection's changes, in spools: memory does not grow with their number.

    ``files`` are those of ``entries`` once they are read, and those that need not be read to be refused. ``full``
    says that the listing is the whole folder, so that what is not in it is gone. ``waiting`` are the paths of
    files that did not change, and are read again because one that changed touches their id.
    """

    stored: StoredCollection
    full: bool
    entries: Spool[Entry] = field(default_factory=lambda: Spool(Entry, items=_ENTRIES))
    files: Spool[ParsedFile | RejectedFile] = field(default_factory=lambda: Spool(ParsedFile | RejectedFile))
    removed: set[bytes] = field(default_factory=set)
    renames: dict[bytes, bytes] = field(default_factory=dict)
    waiting: set[bytes] = field(default_factory=set)
    listed: int = 0
    excluded: int = 0
    # Hashes of the ids that files ask for, eight bytes each.
    _ids: "array[int]" = field(default_factory=lambda: array("q"))

    @property
    def collection(self) -> Collection:
        """Give the collection's rules."""
        return self.stored.collection

    def take(self, file: ParsedFile | RejectedFile) -> None:
        """Add a file that was read or refused."""
        if isinstance(file, ParsedFile):
            self._ids.append(hash(file.id))
            self.files.append(file, len(file.raw) + len(file.content))
        else:
            self.files.append(file)

    def repeated(self) -> Callable[[str], bool]:
        """Give a function that says whether more than one file may ask for an id; true too often does no harm."""
        ordered = sorted(self._ids)
        twice = {one for one, other in pairwise(ordered) if one == other}
        return lambda record_id: hash(record_id) in twice

    def close(self) -> None:
        """Give disk and memory back."""
        self.entries.close()
        self.files.close()


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


def parse_files(gathered: Gathered, entries: Iterable[Entry], blobs: Iterable[Blob]) -> Iterator[int]:
    """Parse and validate files, add them to ``gathered``, and give after each how many there are."""
    collection = gathered.collection
    for done, (entry, blob) in enumerate(zip(entries, blobs, strict=True), start=1):
        gathered.take(parse_file(collection, entry, blob))
        yield done


def parse_file(collection: Collection, entry: Entry, blob: Blob) -> ParsedFile | RejectedFile:
    """Give the record in a file, or why there is none."""
    path, data = entry.path, blob.data
    form = format_of(path)
    if blob.size < 0:
        # The mirror is damaged, not the file: the next fetch rebuilds it.
        raise UnavailableError(
            f"the mirror lacks the content of '{path.decode('utf-8', 'replace')}'",
            remedy="run `lockstep git-pull` again; nothing was changed",
            reason="MISSING_BLOB",
        )
    if data is None or form is None:
        message = f"the file has {blob.size} bytes; raise git.max_file_bytes or make it smaller"
        return RejectedFile(path, entry.blob, "too-large", message)
    try:
        value, content = form.parse_canonical(data)
        record_id = collection.id_of(path, value)
    except ParseError as error:
        return RejectedFile(path, entry.blob, error.rule, error.message, error.line, error.column)
    except BadIdError as error:
        return RejectedFile(path, entry.blob, "id", str(error), pointer="/id")
    findings = validate(collection.schema, value) if collection.schema else ()
    if findings:
        first = findings[0]
        return RejectedFile(path, entry.blob, "schema", f"{first.message} ({first.rule})", pointer=first.pointer)
    title, quality = derived(collection, record_id, value)
    return ParsedFile(path, entry.blob, data, record_id, entry.rank, content, title, quality)


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


def _sort_in(gathered: Gathered, change: Change) -> None:
    collection = gathered.collection
    inside = collection.contains(change.path)
    if change.status == "R" and collection.contains(change.old_path) and collection.rank(change.old_path) is not None:
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
    elif change.status == "D":
        gathered.removed.add(change.path)
    elif change.mode not in REGULAR:
        message = "this is a symbolic link or a submodule; put a file in its place"
        gathered.take(RejectedFile(change.path, change.blob, "not-a-file", message))
    elif problem := path_problem(change.path):
        message = f"the path {problem}; rename the file"
        gathered.take(RejectedFile(change.path, change.blob, "unsafe-path", message))
    else:
        gathered.entries.append(Entry(change.path, change.blob, rank))
