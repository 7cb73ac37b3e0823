"""What sync would set aside for a publication."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.pr.model import Item


@dataclass(frozen=True)
class PlannedFile:
    """One file of a plan: its record without content, and its unified diff; ``cut`` where that is not whole."""

    item: Item
    diff: bytes
    cut: bool


@dataclass(frozen=True)
class LeftOut:
    """A pending record that would stay pending, and why: a word for programs and a sentence for people."""

    record_id: str
    collection: str
    why: str
    message: str


@dataclass(frozen=True)
class Preview:
    """What sync would set aside: for which commit and revision, and the first of the records it would leave out."""

    base_oid: str
    revision: int
    files: Sequence[PlannedFile]
    left_out: Sequence[LeftOut]
    left_out_count: int
