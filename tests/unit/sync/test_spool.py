"""Spools: what goes in comes out, in order, whether it stayed in memory or went to disk."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from services.core.importing import ParsedFile, RejectedFile
from services.sync import spool
from services.sync.gather import Entry
from services.sync.spool import Spool

files = st.one_of(
    st.builds(ParsedFile, st.binary(), st.text(), st.binary(), st.text(), st.integers(0, 9), st.binary()),
    st.builds(RejectedFile, st.binary(), st.text(), st.text(), st.text(), other_paths=st.tuples(st.binary())),
)


@given(st.lists(files, max_size=30), st.integers(1, 5))
def test_items_come_back_as_they_were(items: list[ParsedFile | RejectedFile], size: int) -> None:
    """Of both kinds, in chunks of at most the size, as often as asked."""
    kept: Spool[ParsedFile | RejectedFile] = Spool(ParsedFile | RejectedFile, items=size)
    for item in items:
        kept.append(item)
    for _ in range(2):
        chunks = list(kept.chunks())
        assert [item for chunk in chunks for item in chunk] == items
        assert all(1 <= len(chunk) <= size for chunk in chunks)
    assert len(kept) == len(items)
    kept.close()
    assert list(kept.chunks()) == []


def test_heavy_items_make_short_chunks() -> None:
    """A chunk holds about BYTES, however few items that are."""
    kept: Spool[Entry] = Spool(Entry)
    for number in range(6):
        kept.append(Entry(b"x", str(number), 0), weight=spool.BYTES // 2)
    assert [len(chunk) for chunk in kept.chunks()] == [2, 2, 2]
    kept.close()


def test_two_readers_do_not_disturb_one_another() -> None:
    """One reads what to ask for while another reads what was asked for, from one file on disk."""
    kept: Spool[Entry] = Spool(Entry, items=10)
    items = [Entry(b"p" * 10_000, str(number), number) for number in range(2_000)]
    for item in items:
        kept.append(item)
    read: list[list[Entry]] = [[], []]

    def take(into: list[Entry]) -> None:
        for chunk in kept.chunks():
            into += chunk

    threads = [threading.Thread(target=take, args=(into,)) for into in read]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [items, items]
    kept.close()
