import logging
import pickle
import traceback

import pytest
from cryptography.fernet import Fernet

from services.auth.tokens import PREFIX, hash_of, new_token
from services.auth.vault import Secret, Vault
from services.core.errors import InvalidInputError, StateError


def key() -> str:
    """Make a Fernet key."""
    return Fernet.generate_key().decode()


def test_what_was_encrypted_opens_with_the_same_context_only() -> None:
    """Ciphertext moved to another row is refused."""
    vault = Vault.open(key())
    stored = vault.encrypt(b"a\0b", "credential/1/2")
    assert vault.decrypt(stored, "credential/1/2") == b"a\0b"
    with pytest.raises(StateError):
        vault.decrypt(stored, "credential/1/3")


def test_keys_rotate() -> None:
    """The newest key encrypts, older ones still open; without the old one there is a clear error."""
    old, new = key(), key()
    stored = Vault.open(old).encrypt(b"x", "c")
    assert Vault.open(f" {new} , {old} ").decrypt(stored, "c") == b"x"
    with pytest.raises(StateError, match="master key"):
        Vault.open(new).decrypt(stored, "c")
    assert Vault.open(new).decrypt(Vault.open(f"{new},{old}").encrypt(b"y", "c"), "c") == b"y"


@pytest.mark.parametrize("keys", ["", " , ", "short", "x" * 44, "{good},bad-key-here"])
def test_a_bad_key_is_refused_by_its_number_and_not_shown(keys: str) -> None:
    """The message says which one, never what it is."""
    with pytest.raises(InvalidInputError, match=r"secrets\.master_keys") as refused:
        Vault.open(keys.format(good=key()))
    assert "bad-key" not in str(refused.value)
    assert "lockstep keys generate" in refused.value.remedy


def test_a_secret_shows_itself_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Not in texts, logs, tracebacks or pickles."""
    secret = Secret("hunter22")
    logging.getLogger("x").warning("%s %r", secret, {"token": secret})
    shown = f"{secret} {secret!r} {[secret]} {caplog.text}"
    shown += "".join(traceback.format_exception(ValueError(secret)))
    assert "hunter22" not in shown
    assert (secret == Secret("hunter22"), secret == Secret("x"), secret.reveal()) == (True, False, "hunter22")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_tokens_are_long_random_and_hashed() -> None:
    """256 bits behind a prefix that secret scanners can know."""
    one, two = new_token().reveal(), new_token().reveal()
    assert one != two
    assert one.startswith(PREFIX)
    assert len(one) == len(PREFIX) + 43
    assert len(hash_of(one)) == 32
    assert hash_of(one) != hash_of(two)
