"""Rule sets that ship with the product; a collection takes one over by its name.

Each is the JSON text that a collection's own rules would be.
"""

from typing import Final

# A timeline of researched events: dated, told in a few sentences, and resting on named sources.
RESEARCH_TIMELINE: Final = b"""[
  {"field": "title", "min_length": 10, "max_length": 200, "weight": 1},
  {"field": "date", "date": true, "weight": 1},
  {"field": "end_date", "required": false, "date": true, "not_before": "date", "weight": 0.5},
  {"field": "summary", "min_length": 50, "weight": 1.5},
  {"field": "importance", "minimum": 1, "maximum": 10, "weight": 1},
  {"field": "actors", "min_items": 2, "weight": 1},
  {"field": "tags", "min_items": 3, "weight": 1},
  {"field": "sources", "min_items": 2, "weight": 1.5},
  {"field": "sources", "item_keys": ["title", "url", "outlet", "date"], "weight": 1},
  {"field": "/sources/*/url", "required": false, "url": true, "weight": 0.5}
]"""

PRESETS: Final = {"research-timeline": RESEARCH_TIMELINE}
