"""The signed identity that every internal call carries.

Auth signs it (EdDSA, one algorithm, pinned); services check it offline with auth's public keys and
take the tenant from there only. It lives for two minutes at most, so nothing has to revoke it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.core.errors import ForbiddenError, SignInError

ALGORITHM: Final = "EdDSA"
ISSUER: Final = "lockstep-auth"
AUDIENCE: Final = "lockstep-services"
LIFETIME_SECONDS: Final = 120
LEEWAY_SECONDS: Final = 10
_REMEMBERED: Final = 1000


class Role(IntEnum):
    """What a caller may do, each including the ones before it. Equal to ``auth.v1.Role``."""

    VIEWER = 1
    EDITOR = 2
    REVIEWER = 3
    ADMIN = 4
    OPERATOR = 5


@dataclass(frozen=True)
class Identity:
    """Who calls, and in which tenant. ``service`` is set when a service calls for itself."""

    tenant_id: str
    user_id: str
    username: str
    name: str
    email: str
    role: Role
    service: str = ""

    def require(self, role: Role) -> None:
        """Raise ForbiddenError unless the caller has the role, or is a service."""
        if not self.service and self.role < role:
            raise ForbiddenError(
                f"{self.username} has the role {self.role.name.lower()}",
                remedy=f"this needs the role {role.name.lower()}; ask an administrator of the tenant",
            )

    def require_service(self, *names: str) -> None:
        """Raise ForbiddenError unless one of the named services calls."""
        if self.service not in names:
            raise ForbiddenError("this call is for services only", remedy="use the gateway's API instead")


def sign(identity: Identity, *, key: Ed25519PrivateKey, key_id: str, now: int, jti: str) -> str:
    """Give the identity as a JWT that ends LIFETIME_SECONDS after ``now`` (seconds since the epoch)."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + LIFETIME_SECONDS,
        "jti": jti,
        "sub": identity.user_id,
        "tenant": identity.tenant_id,
        "username": identity.username,
        "name": identity.name,
        "email": identity.email,
        "role": int(identity.role),
        "service": identity.service,
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"kid": key_id})


class Verifier:
    """Checks identities offline; asks for the public keys once, and again when a key id is new."""

    def __init__(self, load_keys: Callable[[], dict[str, Ed25519PublicKey]]) -> None:
        """Take a function that gives all public keys by key id."""
        self._load_keys = load_keys
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._verified: dict[str, tuple[float, Identity]] = {}

    def verify(self, token: str) -> Identity:
        """Give the identity in a token; raise SignInError when it is not auth's or has ended.

        A caller shows the same token until it ends, and checking a signature costs as much as a small call:
        a token that was good is good until then.
        """
        ends, identity = self._verified.get(token, (0.0, None))
        if identity and time.time() < ends:
            return identity
        ends, identity = self._check(token)
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[token] = (ends, identity)
        return identity

    def _check(self, token: str) -> tuple[float, Identity]:
        try:
            key_id = str(jwt.get_unverified_header(token).get("kid", ""))
            if key_id not in self._keys:
                self._keys = self._load_keys()
            claims = jwt.decode(
                token,
                self._keys[key_id],
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "jti", "sub", "tenant"]},
            )
            return float(claims["exp"]) + LEEWAY_SECONDS, Identity(
                tenant_id=str(claims["tenant"]),
                user_id=str(claims["sub"]),
                username=str(claims["username"]),
                name=str(claims["name"]),
                email=str(claims["email"]),
                role=Role(int(claims["role"])),
                service=str(claims["service"]),
            )
        except (jwt.InvalidTokenError, KeyError, ValueError) as error:
            raise SignInError("the call carries no valid identity", remedy="sign in again") from error
