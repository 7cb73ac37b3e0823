"""Encrypts what must not be read at rest: forge tokens and the signing key.

Each ciphertext is bound to its context (whose it is): one that was moved to another row does not open.
"""

import hmac
from typing import Final, NoReturn, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from services.core.errors import InvalidInputError, StateError

_SEPARATOR: Final = b"\0"


class Secret:
    """A text that shows itself to ``reveal`` only, not to logs, errors or tracebacks."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        """Take the text."""
        self._text = text

    def reveal(self) -> str:
        """Give the text."""
        return self._text

    def __repr__(self) -> str:
        """Show nothing."""
        return "Secret(********)"

    def __bool__(self) -> bool:
        """Say whether there is any text."""
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("a secret is not pickled")


class Vault:
    """Holds the master keys. The first one encrypts; all of them decrypt."""

    def __init__(self, keys: MultiFernet) -> None:
        """Take the keys, newest first."""
        self._keys = keys

    @classmethod
    def open(cls, master_keys: str) -> Self:
        """Take Fernet keys separated by commas, newest first. Raises InvalidInputError naming a bad one."""
        keys = [key.strip() for key in master_keys.split(",") if key.strip()]
        if not keys:
            raise _bad_key("secrets.master_keys is empty")
        return cls(MultiFernet([_fernet(number, key) for number, key in enumerate(keys, start=1)]))

    def encrypt(self, content: bytes, context: str) -> bytes:
        """Give ciphertext that opens with the same context only."""
        return self._keys.encrypt(context.encode() + _SEPARATOR + content)

    def decrypt(self, ciphertext: bytes, context: str) -> bytes:
        """Give the content; raise StateError (reason MASTER_KEY) when key or context is another."""
        try:
            bound, _, content = self._keys.decrypt(ciphertext).partition(_SEPARATOR)
        except InvalidToken:
            raise _wrong_key("the master key does not open what was stored") from None
        if not hmac.compare_digest(bound, context.encode()):
            raise _wrong_key("what was stored belongs to something else")
        return content


def _fernet(number: int, key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        raise _bad_key(f"key {number} of secrets.master_keys is not a Fernet key") from None


def _bad_key(message: str) -> InvalidInputError:
    return InvalidInputError(message, remedy="make one with `lockstep keys generate`", reason="MASTER_KEY")


def _wrong_key(message: str) -> StateError:
    return StateError(
        message,
        remedy="give the key it was stored with in secrets.master_keys; old keys come after new ones",
        reason="MASTER_KEY",
    )
