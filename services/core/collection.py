"""What makes a file a record: folder, patterns, id rule and the path of new files. Pure."""

import datetime as dt
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias

from services.core.brake import USUAL, Brake
from services.core.errors import InvalidInputError
from services.core.formats import format_of
from services.core.merge_rules import Rules, read_rules
from services.core.paths import check_path, stem_of
from services.core.values import Value

DEFAULT_INCLUDE: Final = ("*.md", "*.json", "*.yaml", "*.yml", "*.toml")
DEFAULT_EXCLUDE: Final = (
    ".*",
    "_*",
    "README*",
    "LICENSE*",
    "NOTICE*",
    "CONTRIBUTING*",
    "CHANGELOG*",
    "CODE_OF_CONDUCT*",
    "SECURITY*",
    "index.*",
    "package*.json",
    "pyproject.toml",
    "Cargo.toml",
    "hugo.toml",
    "netlify.toml",
    "node_modules",
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
MAX_ID_LENGTH: Final = 255

IdRule: TypeAlias = Literal["field", "stem", "path"]


class BadIdError(Exception):
    """A file's record cannot have the id it asks for; the text is one sentence for a person."""


@dataclass(frozen=True)
class Collection:
    """The rules of one collection. ``path`` is its folder, ``""`` for the root of the repository."""

    id: str
    name: str
    path: str = ""
    include: tuple[str, ...] = DEFAULT_INCLUDE
    exclude: tuple[str, ...] = DEFAULT_EXCLUDE
    id_rule: IdRule = "field"
    new_path: str = ""
    schema: bytes = b""
    quality: bytes = b""
    merge: bytes = b""
    # Only validated records are published.
    review_required: bool = False
    # Where the schema is in the repository, from its root, and the blob it was read from; empty where it is not there.
    schema_path: str = ""
    schema_blob: str = ""
    # How much an import may delete before a person has to confirm.
    brake: Brake = USUAL

    def check(self) -> None:
        """Raise InvalidInputError, naming the setting, when a rule cannot work."""
        read_rules(self.merge)
        self.brake.check(self.name)
        if not _NAME.fullmatch(self.name):
            raise InvalidInputError(
                f"'{self.name}' is no name for a collection",
                remedy="use letters, digits, '.', '_' and '-', beginning with a letter or digit",
            )
        if self.path:
            check_path(self.path.encode(), what=f"the folder of collection '{self.name}'")
        for pattern in (*self.include, *self.exclude):
            if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
                raise InvalidInputError(
                    f"'{pattern}' is no pattern for collection '{self.name}'",
                    remedy="write patterns relative to the folder, for example '*.json' or 'drafts/*.md'",
                )
        self._check_schema_path()
        fields = [name for _, name, _, _ in string.Formatter().parse(self.template) if name is not None]
        if "id" not in fields:
            raise InvalidInputError(
                f"new_path '{self.template}' of collection '{self.name}' has no {{id}}",
                remedy="write it like '{id}.json' or '{date:%Y}/{id}.md'",
            )
        if format_of(self.template.encode()) is None:
            raise InvalidInputError(
                f"new_path '{self.template}' of collection '{self.name}' ends in no known format",
                remedy="let it end in .json, .yaml, .yml, .toml or .md",
            )

    def _check_schema_path(self) -> None:
        if not self.schema_path:
            return
        check_path(self.schema_path.encode(), what=f"the schema of collection '{self.name}'")
        if not self.schema_path.endswith((".json", ".yaml", ".yml")):
            raise InvalidInputError(
                f"the schema '{self.schema_path}' of collection '{self.name}' ends in no known format",
                remedy="let it end in .json, .yaml or .yml",
            )
        if self.schema and not self.schema_blob:
            raise InvalidInputError(
                f"collection '{self.name}' has a schema in its settings and one in the repository",
                remedy="give either schema or schema_path",
            )

    @property
    def template(self) -> str:
        """Give the path template of new files, relative to the folder."""
        if self.new_path:
            return self.new_path
        suffix = next((p.rpartition(".")[2] for p in self.include if re.fullmatch(r".*\.\w+", p)), "md")
        return f"{{id}}.{suffix}"

    @property
    def rules(self) -> Rules:
        """Give how fields merge; raise InvalidInputError when the setting cannot be read."""
        return read_rules(self.merge)

    def contains(self, path: bytes) -> bool:
        """Say whether a path lies below the folder."""
        return not self.path or path.startswith(self._prefix)

    def rank(self, path: bytes) -> int | None:
        """Give the number of the include pattern that takes a file; None where the file is left out."""
        relative = path.removeprefix(self._prefix).decode("utf-8", "surrogateescape")
        if self._excluding.take_path(relative) or format_of(path) is None:
            return None
        return self._including.number(relative)

    def id_of(self, path: bytes, value: dict[str, Value]) -> str:
        """Give the id of the record in a file; raise BadIdError when it has none that can be used."""
        found: object = None
        if self.id_rule == "field":
            found = value.get("id")
            if isinstance(found, bool) or not isinstance(found, str | int | None):
                raise BadIdError("the field 'id' is neither text nor an integer")
        if found is None:
            raw = path.removeprefix(self._prefix) if self.id_rule == "path" else stem_of(path)
            try:
                found = raw.decode()
            except UnicodeDecodeError:
                raise BadIdError("the file's name is not UTF-8; rename it or give it a field 'id'") from None
        return check_id(str(found))

    def path_for(self, record_id: str, value: dict[str, Value]) -> bytes:
        """Give the path of a new record's file; raise InvalidInputError when the template cannot be filled."""
        named = self.id_rule == "path" and self.rank(self._prefix + record_id.encode()) is not None
        relative = record_id if named else self._filled(record_id, value)
        path = self._prefix + relative.encode()
        check_path(path, what=f"the file of record '{record_id}'")
        if self.rank(path) is None:
            raise InvalidInputError(
                f"the file '{path.decode()}' of record '{record_id}' would not be in collection '{self.name}'",
                remedy="choose another id, or change include, exclude or new_path",
            )
        return path

    def _filled(self, record_id: str, value: dict[str, Value]) -> str:
        try:
            return _Template().vformat(self.template, (), {**value, "id": record_id})
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise InvalidInputError(
                f"new_path '{self.template}' cannot be filled for record '{record_id}': {error}",
                remedy="set the fields that it names",
            ) from None

    @property
    def _prefix(self) -> bytes:
        return f"{self.path}/".encode() if self.path else b""

    @cached_property
    def _including(self) -> "_Globs":
        return _Globs(self.include, re.NOFLAG)

    @cached_property
    def _excluding(self) -> "_Globs":
        return _Globs(self.exclude, re.IGNORECASE)


def check_id(record_id: str) -> str:
    """Give the id back; raise BadIdError when it is empty, too long, or holds control characters."""
    if not record_id.strip():
        raise BadIdError("the id is empty")
    if len(record_id) > MAX_ID_LENGTH:
        raise BadIdError(f"the id has more than {MAX_ID_LENGTH} characters")
    if _CONTROL.search(record_id):
        raise BadIdError("the id holds control characters")
    return record_id


class _Globs:
    """Patterns, compiled. One with a slash speaks of the whole relative path, one without of a name."""

    def __init__(self, patterns: Sequence[str], flags: re.RegexFlag) -> None:
        # One group a pattern, so that a match tells which it was; those of the other kind match nothing.
        groups = [("/" in pattern, f"({_expression(pattern)})") for pattern in patterns]
        names = "|".join("((?!))" if deep else group for deep, group in groups)
        paths = "|".join(group if deep else "((?!))" for deep, group in groups)
        self._names = re.compile(names or "(?!)", flags | re.DOTALL).fullmatch
        self._paths = re.compile(paths, flags | re.DOTALL).fullmatch if any(deep for deep, _ in groups) else None
        self._folders: dict[str, bool] = {}
        # Every file of a first import is looked at, so what most patterns are like is told without an expression.
        beginnings = [_literal(pattern).casefold() for pattern in patterns if "/" not in pattern]
        self._beginnings = tuple(beginnings) if all(beginnings) else ("",)
        plain = [re.fullmatch(r"\*(\.\w+)", pattern) for pattern in patterns]
        endings = [found[1] for found in plain if found] if all(plain) and not flags else []
        self._endings = {ending: endings.index(ending) for ending in endings}

    def number(self, path: str) -> int | None:
        """Give the number of the first pattern that takes a file by its own name or its path."""
        own = path.rpartition("/")[2]
        if self._endings:
            _, dot, ending = own.rpartition(".")
            return self._endings.get(dot + ending)
        name = self._names(own) if own.casefold().startswith(self._beginnings) else None
        deep = self._paths(path) if self._paths else None
        found = [match.lastindex for match in (name, deep) if match and match.lastindex]
        return min(found) - 1 if found else None

    def take_path(self, path: str) -> bool:
        """Say whether a pattern takes a file or a folder that it lies in."""
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            self._folders[folder] = any(map(self._names, folder.split("/")))
        return self._folders[folder] or self.number(path) is not None


def _literal(pattern: str) -> str:
    """Give what every name that a pattern takes begins with."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def _expression(pattern: str) -> str:
    """Give a glob as an expression: ``*`` and ``?`` stop at a slash, ``**`` does not."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(known.get(piece, re.escape(piece)) for piece in pieces)


class _Template(string.Formatter):
    """Fills a path template with scalar fields; a format after ``:`` reads the field as an ISO date."""

    def get_field(
        self,
        field_name: str,
        args: Sequence[object],  # noqa: ARG002  the signature is the base class's
        kwargs: object,
    ) -> tuple[object, str]:
        if not isinstance(kwargs, dict) or field_name not in kwargs:
            raise KeyError(f"there is no field {field_name}")
        value = kwargs[field_name]
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError(f"the field {field_name} is neither text nor an integer")
        return value, field_name

    def format_field(self, value: object, format_spec: str) -> str:
        text = str(value)
        if format_spec:
            text = dt.date.fromisoformat(text[:10]).strftime(format_spec)
        if "/" in text or "\\" in text or not text.strip():
            raise ValueError(f"'{text}' is no name for a file or folder; use one without a slash")
        return text
