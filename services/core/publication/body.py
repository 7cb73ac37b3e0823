"""The generated part of a pull request's body: what a reviewer wants to know of the records."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from services.core.publication.content import Action, Override, PublishedRecord, authors_of, date_range
from services.core.publication.escape import markdown

MOST_RECORDS: Final = 200
MOST_REMARKS: Final = 50
MOST_FIELDS: Final = 8
MOST_AUTHORS: Final = 50
# GitHub refuses bodies of more than 65,536 characters; the rest is for people and the other sections.
TABLE_CHARACTERS: Final = 40_000
_DONE: Final[dict[Action, str]] = {
    "create": "added",
    "update": "updated",
    "rename": "renamed",
    "delete": "deleted",
}


def generated_body(publication_id: str, records: Sequence[PublishedRecord], override: Override | None = None) -> str:
    """Give Markdown: counts, dates, records, quality, findings, review, conflicts settled, authors, the id.

    ``override`` says who had records published that are not validated.
    """
    sections = [_summary(records), _table(records), _remarks(records), _review(records, override), _authors(records)]
    sections.append(f"Published by Lockstep as `{publication_id}`.")
    return "\n\n".join(section for section in sections if section)


def _summary(records: Sequence[PublishedRecord]) -> str:
    actions = Counter(record.action for record in records)
    parts = ", ".join(f"{actions[action]} {done}" for action, done in _DONE.items() if actions[action])
    noun = "record" if len(records) == 1 else "records"
    lines = [f"**{len(records)} {noun}**: {parts}."]
    if dates := date_range(records):
        lines.append(f"Dates: {dates}.")
    if rated := [(record.quality, record) for record in records if record.quality is not None]:
        lowest, worst = min(rated, key=lambda pair: pair[0])
        mean = sum(quality for quality, _ in rated) / len(rated)
        lines.append(f"Quality: {mean:.1f} of 10 on average; lowest {lowest:.1f} ({markdown(worst.record_id)}).")
    if settled := sum(record.conflicts_settled for record in records):
        lines.append(f"Conflicts settled: {settled}.")
    if merged := sum(record.merged for record in records):
        lines.append(f"Already on the target branch: {merged} of {len(records)}.")
    return "\n".join(f"- {line}" if number else f"{line}\n" for number, line in enumerate(lines)).strip()


def _table(records: Sequence[PublishedRecord]) -> str:
    rows = ["| record | title | change | fields |", "| --- | --- | --- | --- |"]
    size = 0
    for record in records[:MOST_RECORDS]:
        cells = (markdown(record.record_id), markdown(record.title), _DONE[record.action], _fields(record))
        row = f"| {' | '.join(cells)} |"
        size += len(row) + 1
        if size > TABLE_CHARACTERS:
            break
        rows.append(row)
    left = len(records) - (len(rows) - 2)
    return "\n".join(rows) + (f"\n\n… and {left:,} more." if left else "")


def _fields(record: PublishedRecord) -> str:
    if record.action == "delete":
        return ""
    names = [markdown(pointer.removeprefix("/"), 60) for pointer in record.changed[:MOST_FIELDS]]
    left = len(record.changed) - len(names)
    return ", ".join(names) + (f" and {left} more" if left else "")


def _remarks(records: Sequence[PublishedRecord]) -> str:
    found = [(record, remark) for record in records for remark in record.remarks]
    if not found:
        return ""
    lines = [
        f"- {markdown(record.record_id)} {markdown(remark.pointer, 60)}: {markdown(remark.message)}"
        f"{'' if remark.error else ' (advice)'}"
        for record, remark in found[:MOST_REMARKS]
    ]
    left = len(found) - len(lines)
    if left:
        lines.append(f"- … and {left:,} more")
    return "**Validation**\n\n" + "\n".join(lines)


def _review(records: Sequence[PublishedRecord], override: Override | None) -> str:
    """Say what reviewers made of the records, where their collections ask for review."""
    asked = [record for record in records if record.review]
    others = [record for record in asked if record.review != "validated"]
    if not asked:
        return ""
    lines = [f"- {len(asked) - len(others)} of {len(asked)} validated"]
    if others:
        named = ", ".join(f"{markdown(record.record_id, 60)} ({record.review})" for record in others[:MOST_REMARKS])
        left = len(others) - MOST_REMARKS
        lines.append(f"- **Not validated**: {named}{f' and {left:,} more' if left > 0 else ''}")
    if others and override:
        lines.append(f"- **Overridden** by {markdown(override.by, 80)}: {markdown(override.reason, 500)}")
    return "**Review**\n\n" + "\n".join(lines)


def _authors(records: Sequence[PublishedRecord]) -> str:
    names = [markdown(author.name or author.email, 80) for author in authors_of(records)]
    if not names:
        return ""
    left = len(names) - MOST_AUTHORS
    return f"Edited by {', '.join(names[:MOST_AUTHORS])}{f' and {left} more' if left > 0 else ''}."
