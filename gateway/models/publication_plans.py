"""What a publication would be."""

from gateway.models.base import Answer


class PlannedFile(Answer):
    """One file of a plan. ``diff_cut`` says that ``diff`` is not whole, since it or all before it are too long."""

    record: str
    collection: str
    revision: int
    path: str
    action: str
    title: str
    review: str
    diff: str
    diff_cut: bool


class LeftOut(Answer):
    """A pending record that would stay pending, and why."""

    record: str
    collection: str
    # "conflict", "quarantine", "review", "schema", "no-place" or "invalid".
    why: str
    message: str


class Check(Answer):
    """One thing that was looked at."""

    name: str
    passed: bool
    message: str


class PublicationPlan(Answer):
    """A publication as it would be made now. ``plan`` is its name: give it when publishing to be held to it.

    In branch and body "ID" stands for the publication's id, which it does not have yet. ``files`` holds the first
    of ``records_count``, ``left_out`` the first of ``left_out_count``.
    """

    plan: str
    target: str
    revision: int
    base: str
    branch: str
    title: str
    body: str
    records_count: int
    files: list[PlannedFile]
    left_out: list[LeftOut]
    left_out_count: int
    checks: list[Check]
