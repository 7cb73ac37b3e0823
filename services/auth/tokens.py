"""Session and access tokens: random, shown once, stored as a hash."""

import hashlib
import secrets
from collections.abc import Callable
from typing import Final

from services.auth.vault import Secret

PREFIX: Final = "lks_"
RANDOM_BYTES: Final = 32
DAY: Final = 24 * 60 * 60
DEFAULT_SECONDS: Final = 30 * DAY
LONGEST_SECONDS: Final = 366 * DAY


def new_token(random: Callable[[int], str] = secrets.token_urlsafe) -> Secret:
    """Make a token of 256 random bits."""
    return Secret(PREFIX + random(RANDOM_BYTES))


def hash_of(token: str) -> bytes:
    """Give what is stored of a token. A plain hash does: 256 random bits cannot be guessed from it."""
    return hashlib.sha256(token.encode()).digest()
