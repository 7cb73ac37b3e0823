"""SSH keys as people paste them, made into the ones that are stored, and the host keys they go with."""

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from services.auth.vault import Secret
from services.core.errors import FieldViolation, InvalidInputError

Purpose = Literal["ssh", "signing"]

LONGEST_KEY: Final = 16 * 1024
LONGEST_HOSTS: Final = 64 * 1024
SHORTEST_RSA: Final = 2048
_HOST_LINE: Final = re.compile(
    r"(?:@(?:cert-authority|revoked) +)?[^\s@]\S* +(ssh|ecdsa|sk)-[\w@.-]+ +([A-Za-z0-9+/=]+)( .*)?"
)
_PRINTABLE: Final = re.compile(r"[\t\x20-\x7e]*")


@dataclass(frozen=True)
class SshKey:
    """A key: its private half in OpenSSH form, its public half as in an authorized_keys file."""

    private: Secret
    public: str


def read_private(text: str, purpose: Purpose) -> SshKey:
    """Give the key in a text; raise InvalidInputError for one that cannot be used for the purpose.

    A key that signs commits has to give the same signature for the same commit, since a commit that is made
    once more must have the same name. ECDSA draws a new number for each signature.
    """
    data = text.strip().encode("utf-8", "replace") + b"\n"
    if len(data) > LONGEST_KEY:
        raise _bad("private_key", "the key is too long", "give one private key")
    key = _load(data)
    if isinstance(key, RSAPrivateKey) and key.key_size < SHORTEST_RSA:
        raise _bad("private_key", f"an RSA key needs {SHORTEST_RSA} bits or more", _MAKE)
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey):
        raise _bad("private_key", "keys of this type are not supported", _MAKE)
    if purpose == "signing" and isinstance(key, EllipticCurvePrivateKey):
        raise _bad("private_key", "commits are signed with Ed25519 or RSA keys, not with ECDSA", _MAKE)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return SshKey(Secret(private), public)


def fingerprint(public: str) -> str:
    """Give the fingerprint of a public key as ssh shows it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def checked_hosts(text: str) -> str:
    """Give the lines of a known_hosts file that say something; raise InvalidInputError for any other."""
    if len(text) > LONGEST_HOSTS:
        raise _bad("known_hosts", "the host keys are too long", "leave out the hosts that are not the repository's")
    return "".join(f"{line}\n" for line in _host_lines(text))


def _host_lines(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if not _PRINTABLE.fullmatch(stripped) or not _HOST_LINE.fullmatch(stripped):
            message = f"line {number} of the host keys is not one of a known_hosts file"
            raise _bad("known_hosts", message, "get the lines with `ssh-keyscan HOST`, and check their fingerprints")
        yield stripped


def _load(data: bytes) -> object:
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else load_pem_private_key
    try:
        return load(data, None)
    except TypeError:
        raise _bad(
            "private_key",
            "the key is protected by a passphrase",
            "give a key without one, made for Lockstep alone: `ssh-keygen -t ed25519 -N '' -f FILE`",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _bad(
            "private_key", "this is not a private SSH key", "give the whole file that ssh-keygen wrote"
        ) from None


_MAKE: Final = "make one with `ssh-keygen -t ed25519 -N '' -f FILE`"


def _bad(field: str, message: str, remedy: str) -> InvalidInputError:
    return InvalidInputError(message, remedy=remedy, violations=[FieldViolation(field, message)])
