"""The tags of a remote, and what their annotations say."""

from dataclasses import dataclass, replace
from typing import Final

from services.git import commits, transfer
from services.git.commits import Person
from services.git.mirror import Mirror
from services.git.paging import name_token, named, page_size
from services.git.remotes import Remote

_PREFIX: Final = b"refs/tags/"
_KEPT: Final = b"refs/lockstep/tags/"
_PEELED: Final = b"^{}"
_MAX_TAG_BYTES: Final = 256 * 1024
_PAGE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Tag:
    """A tag. ``tag_oid`` is empty without annotation; the rest is what an annotation says, where it was read."""

    name: bytes
    target: str
    tag_oid: str
    tagger: Person | None = None
    time: int = 0
    message: str = ""


def list_tags(mirror: Mirror, remote: Remote, *, annotations: bool, size: int, token: str) -> tuple[list[Tag], str]:
    """Give a page of a remote's tags as they are now, by name, and the next page's token."""
    size, after = page_size(size), named(token)
    listed = mirror.at_remote(remote, lambda r: transfer.peeled_refs(mirror.runner, mirror.root, r, ["refs/tags/*"]))
    names = sorted(name for name in listed if not name.endswith(_PEELED) and name > after)
    page = [_tag(name, listed) for name in names[:size]]
    if annotations:
        page = _fitting(_annotated(mirror, remote, page))
    return page, name_token(_PREFIX + page[-1].name) if len(names) > len(page) else ""


def _fitting(page: list[Tag]) -> list[Tag]:
    """Give as much of a page as fits into a message, one tag at least."""
    room = _PAGE_BYTES
    for number, tag in enumerate(page):
        room -= len(tag.message)
        if room < 0 and number:
            return page[:number]
    return page


def _tag(name: bytes, listed: dict[bytes, str]) -> Tag:
    oid, target = listed[name], listed.get(name + _PEELED, "")
    return Tag(name.removeprefix(_PREFIX), target or oid, oid if target else "")


def _annotated(mirror: Mirror, remote: Remote, page: list[Tag]) -> list[Tag]:
    wanted = [tag for tag in page if tag.tag_oid]
    if not wanted:
        return page
    mirror.ensure()
    known = mirror.healing(lambda: mirror.info([tag.tag_oid for tag in wanted]))
    missing = [tag for tag, info in zip(wanted, known, strict=True) if not info.kind]
    if missing:
        specs = [b"+%s%s:%s%s" % (_PREFIX, tag.name, _KEPT, tag.tag_oid.encode("ascii")) for tag in missing]
        with mirror.credentials_checked(), mirror.writing() as held:
            for _ in mirror.transfer(remote, specs, held):
                pass
    return mirror.healing(lambda: _read(mirror, page))


def _read(mirror: Mirror, page: list[Tag]) -> list[Tag]:
    oids = [tag.tag_oid for tag in page if tag.tag_oid]
    with mirror.pool.lease(mirror.path) as reader:
        contents = {info.oid: data for info, data in reader.contents(oids, _MAX_TAG_BYTES)}
    return [_with_words(tag, contents.get(tag.tag_oid, b"")) for tag in page]


def _with_words(tag: Tag, content: bytes) -> Tag:
    head, _, message = content.partition(b"\n\n")
    line = next((line for line in head.split(b"\n") if line.startswith(b"tagger ")), b"")
    if not content:
        return tag
    tagger, time = commits.read_person(line.removeprefix(b"tagger "), "utf-8")
    return replace(tag, tagger=tagger, time=time, message=message.decode("utf-8", "replace"))
