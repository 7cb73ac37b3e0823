"""The generated part of a pull request's body, kept apart from what people write around it."""

import re
from typing import Final

BEGIN: Final = "<!-- lockstep:begin -->"
END: Final = "<!-- lockstep:end -->"
_ANY: Final = re.compile(r"<!--\s*lockstep:\s*(?:begin|end)\s*-->", re.IGNORECASE)


def with_markers(description: str, generated: str) -> str:
    """Give a first body: the person's own text, then the generated part between markers."""
    own = _ANY.sub("", description).strip()
    block = f"{BEGIN}\n{generated.strip()}\n{END}"
    return f"{own}\n\n{block}" if own else block


def replace_between_markers(body: str, generated: str) -> str:
    """Give a body with its generated part replaced and every other character as it was.

    A body whose markers somebody removed keeps its text and gets the part at its end.
    """
    start = body.find(BEGIN)
    end = body.find(END, start)
    block = f"{BEGIN}\n{generated.strip()}\n{END}"
    if start >= 0 and end >= 0:
        return body[:start] + block + body[end + len(END) :]
    own = _ANY.sub("", body).rstrip()
    return f"{own}\n\n{block}" if own else block
