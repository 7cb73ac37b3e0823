"""Made-up records for the demonstration: the catalogue of a seed library that does not exist."""

import json
from typing import Final

_PLANTS: Final = (
    ("Amber Pea", "legume"),
    ("Birch Oat", "grain"),
    ("Clay Barley", "grain"),
    ("Dune Carrot", "root"),
    ("Ember Beet", "root"),
    ("Fjord Cabbage", "leaf"),
    ("Glade Lettuce", "leaf"),
    ("Harbour Bean", "legume"),
    ("Inlet Onion", "bulb"),
    ("Juniper Squash", "fruit"),
)
_PLACES: Final = ("North Terrace", "Old Mill", "Quarry Field", "River Bend", "Upper Orchard")
COUNT: Final = 204


def files(count: int = COUNT) -> dict[str, str]:
    """Give paths and contents of ``count`` records in three formats, and a README."""
    found = {"README.md": "# Seed library\n\nA made-up catalogue. Every record is a file below `catalogue/`.\n"}
    for number in range(1, count + 1):
        path, text = _file(number)
        found[path] = text
    return found


def _file(number: int) -> tuple[str, str]:
    plant, kind = _PLANTS[number % len(_PLANTS)]
    place = _PLACES[number % len(_PLACES)]
    year, month, day = 2015 + number % 9, 1 + number % 12, 1 + number % 28
    record_id = f"lot-{number:04d}"
    date = f"{year}-{month:02d}-{day:02d}"
    title = f"{plant}, lot {number}"
    grams, germination = 20 + number * 7 % 180, 60 + number * 13 % 40
    note = f"Collected at {place}. Stored dry and dark; {germination} of 100 seeds came up in the last trial."
    match number % 3:
        case 0:
            front = f"id: {record_id}\ndate: '{date}'\ntitle: {title}\nkind: {kind}\nplace: {place}\n"
            numbers = f"grams: {grams}\ngermination: {germination}\ntags:\n- {kind}\n- {year}-harvest\n"
            return f"catalogue/{year}/{record_id}.md", f"---\n{front}{numbers}---\n\n{note}\n"
        case 1:
            value = {"id": record_id, "date": date, "title": title, "kind": kind, "place": place, "grams": grams}
            more = {"germination": germination, "tags": [kind, f"{year}-harvest"], "note": note}
            return f"catalogue/{year}/{record_id}.json", json.dumps(value | more, indent=2) + "\n"
        case _:
            lines = [f"id: {record_id}", f"date: {date}", f"title: {title}", f"kind: {kind}", f"place: {place}"]
            more_lines = [f"grams: {grams}  # weighed, not counted", f"germination: {germination}", "tags:"]
            tail = [f"  - {kind}", f"  - {year}-harvest", f'note: "{note}"']
            return f"catalogue/{year}/{record_id}.yaml", "\n".join([*lines, *more_lines, *tail]) + "\n"
