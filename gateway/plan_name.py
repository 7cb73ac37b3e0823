"""The name of a plan, ``COMMIT@REVISION``: what it was made for, so that it can be held to."""

import re
from dataclasses import dataclass
from typing import Final

from services.core.errors import InvalidInputError

_NAME: Final = re.compile(r"([0-9a-f]{40}(?:[0-9a-f]{24})?)@([1-9][0-9]{0,17})")


@dataclass(frozen=True)
class PlanName:
    """A commit (hex) of the target branch and a revision of the database; "" and 0 where no plan is named."""

    commit: str = ""
    revision: int = 0

    def __str__(self) -> str:
        """Give the name."""
        return f"{self.commit}@{self.revision}"

    @classmethod
    def parse(cls, text: str) -> "PlanName":
        """Give what a name stands for; "" names no plan. Raises InvalidInputError."""
        if not text:
            return cls()
        found = _NAME.fullmatch(text)
        if found is None:
            raise InvalidInputError(
                f"'{text}' is no name of a plan",
                remedy="give the name that the plan was shown with, COMMIT@REVISION with the whole commit",
            )
        return cls(found[1], int(found[2]))
