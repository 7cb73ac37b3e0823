"""How much an import may delete before a person has to confirm. Pure."""

from dataclasses import dataclass
from typing import Final

from services.core.errors import InvalidInputError

# Below this many deletions the share says nothing: two of five records is everyday work.
SHARE_FROM: Final = 10
_ALL: Final = 100


@dataclass(frozen=True)
class Brake:
    """More deletions than ``records``, or than ``percent`` of a collection, need a person."""

    records: int = 100
    percent: int = 20

    def check(self, collection: str) -> None:
        """Raise InvalidInputError when the numbers mean nothing."""
        if self.records < 0 or not 0 <= self.percent <= _ALL:
            raise InvalidInputError(
                f"the brake of collection '{collection}' is {self.records} records and {self.percent} percent",
                remedy="give records from 0 on, and percent from 0 to 100",
            )

    def stops(self, going: int, total: int) -> bool:
        """Say whether ``going`` deletions among ``total`` records need a person."""
        share = going >= SHARE_FROM and going * _ALL > self.percent * total
        return going > self.records or share


USUAL: Final = Brake()
