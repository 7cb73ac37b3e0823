"""The keys an installation keeps: the canary that tells a wrong master key, and the signing keys."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.auth import tables
from services.auth.vault import Secret, Vault
from services.runtime.database import Database
from services.runtime.identity import LIFETIME_SECONDS, Identity, sign
from services.runtime.requests import insert_missing

NO_TENANT: Final = ""
_CANARY: Final = "master-key"
_CANARY_TEXT: Final = b"lockstep"


@dataclass(frozen=True)
class VerificationKey:
    """A public key by its id; 32 raw bytes of Ed25519."""

    key_id: str
    public_key: bytes


class Signer:
    """Signs identities with the newest key."""

    def __init__(self, key_id: str, key: Ed25519PrivateKey, ids: Callable[[], str]) -> None:
        """Take the key; ``ids`` names each identity."""
        self._key_id = key_id
        self._key = key
        self._ids = ids

    def sign(self, identity: Identity, now: int) -> tuple[Secret, int]:
        """Give the signed identity and when it ends, seconds since the epoch."""
        token = sign(identity, key=self._key, key_id=self._key_id, now=now, jti=self._ids())
        return Secret(token), now + LIFETIME_SECONDS


def check_master_key(database: Database, vault: Vault) -> None:
    """Raise StateError (reason MASTER_KEY) when the vault's keys are not those of this database."""
    query = sa.select(tables.canary.c.ciphertext).where(tables.canary.c.id == _CANARY)
    with database.begin(NO_TENANT) as tx:
        insert_missing(tx, tables.canary, {"id": _CANARY, "ciphertext": vault.encrypt(_CANARY_TEXT, _CANARY)})
        stored = tx.execute(query).scalar_one()
    vault.decrypt(stored, _CANARY)


def open_signer(database: Database, vault: Vault, now: int, ids: Callable[[], str]) -> Signer:
    """Take the newest signing key; make the first one."""
    keys = tables.signing_keys
    query = sa.select(keys).order_by(keys.c.created_at.desc(), keys.c.key_id.desc()).limit(1)
    with database.begin(NO_TENANT) as tx:
        row = tx.execute(query).one_or_none()
        if row is not None:
            private = vault.decrypt(row.private_key, row.key_id)
            return Signer(row.key_id, Ed25519PrivateKey.from_private_bytes(private), ids)
        key, key_id = Ed25519PrivateKey.generate(), uuid.uuid4().hex
        tx.execute(
            sa.insert(keys).values(
                key_id=key_id,
                public_key=key.public_key().public_bytes_raw(),
                private_key=vault.encrypt(key.private_bytes_raw(), key_id),
                created_at=now,
            ),
        )
        return Signer(key_id, key, ids)


def verification_keys(database: Database) -> tuple[VerificationKey, ...]:
    """Give all public keys, newest first."""
    keys = tables.signing_keys
    query = sa.select(keys.c.key_id, keys.c.public_key).order_by(keys.c.created_at.desc(), keys.c.key_id.desc())
    with database.read(NO_TENANT) as tx:
        return tuple(VerificationKey(row.key_id, bytes(row.public_key)) for row in tx.execute(query))


def load_verification_keys(database: Database) -> dict[str, Ed25519PublicKey]:
    """Give all public keys by id, for a ``Verifier`` in auth's own process."""
    return {key.key_id: Ed25519PublicKey.from_public_bytes(key.public_key) for key in verification_keys(database)}
