"""The signed identity: auth's, of this moment, for these services, and nothing else."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.core.errors import ForbiddenError, SignInError
from services.runtime.identity import (
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    LEEWAY_SECONDS,
    LIFETIME_SECONDS,
    Identity,
    Role,
    Verifier,
    sign,
)

KEY = Ed25519PrivateKey.generate()
WHO = Identity("t", "u", "ada", "Ada", "ada@example.org", Role.EDITOR)


def verifier() -> Verifier:
    """Give a verifier that knows one key."""
    return Verifier(lambda: {"k": KEY.public_key()})


def test_an_identity_comes_through() -> None:
    """What auth signed is what a service sees."""
    token = sign(WHO, key=KEY, key_id="k", now=int(time.time()), jti="1")
    assert verifier().verify(token) == WHO


def claims(**changes: object) -> dict[str, object]:
    """Give the claims of a good identity with changes."""
    now = int(time.time())
    good: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 60,
        "jti": "1",
        "sub": "u",
        "tenant": "t",
        "username": "ada",
        "name": "Ada",
        "email": "",
        "role": 4,
        "service": "",
    }
    return {**good, **changes}


@pytest.mark.parametrize(
    "token",
    [
        "",
        "not-a-token",
        sign(WHO, key=KEY, key_id="k", now=int(time.time()) - 1000, jti="1"),
        sign(WHO, key=KEY, key_id="other", now=int(time.time()), jti="1"),
        sign(WHO, key=Ed25519PrivateKey.generate(), key_id="k", now=int(time.time()), jti="1"),
        jwt.encode(claims(), "x" * 32, algorithm="HS256", headers={"kid": "k"}),
        jwt.encode(claims(), "", algorithm="none", headers={"kid": "k"}),
        jwt.encode(claims(aud="somebody-else"), KEY, algorithm=ALGORITHM, headers={"kid": "k"}),
        jwt.encode(claims(iss="somebody-else"), KEY, algorithm=ALGORITHM, headers={"kid": "k"}),
        jwt.encode(claims(role=99), KEY, algorithm=ALGORITHM, headers={"kid": "k"}),
    ],
)
def test_anything_else_is_refused(token: str) -> None:
    """Ended, unknown key, foreign signature, another algorithm, audience or issuer."""
    with pytest.raises(SignInError):
        verifier().verify(token)


def test_roles_include_the_ones_before() -> None:
    """An editor reads and edits, and does not administer."""
    WHO.require(Role.VIEWER)
    WHO.require(Role.EDITOR)
    with pytest.raises(ForbiddenError, match="admin"):
        WHO.require(Role.ADMIN)
    with pytest.raises(ForbiddenError):
        WHO.require_service("pr")


def test_a_token_that_was_good_ends_all_the_same() -> None:
    """What is remembered of a token does not outlive it."""
    now = int(time.time())
    token = sign(WHO, key=KEY, key_id="k", now=now - LIFETIME_SECONDS - LEEWAY_SECONDS + 2, jti="1")
    checked = verifier()
    assert checked.verify(token) == checked.verify(token) == WHO
    time.sleep(now + 2.1 - time.time())
    with pytest.raises(SignInError):
        checked.verify(token)
