"""SSH keys in memory: what they are called, and signatures in the forms that ssh speaks.

The private half is never written down: an agent of our own answers for it (``services.git.ssh_agent``), and
commits are signed here (``services.git.signing``).
"""

import base64
import struct
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from services.core.errors import StateError
from services.git.ports import Token

RSA_SHA256: Final = 2
RSA_SHA512: Final = 4
_CURVE_HASHES: Final[dict[str, type[HashAlgorithm]]] = {
    "secp256r1": SHA256,
    "secp384r1": SHA384,
    "secp521r1": SHA512,
}


class SshKey:
    """A private key. Its repr shows the public half."""

    def __init__(self, private: Token) -> None:
        """Take a key in OpenSSH form; raise StateError (reason BAD_KEY) when it cannot be read."""
        try:
            self._key = load_ssh_private_key(private.reveal().encode(), None)
        except (ValueError, TypeError):
            raise _bad_key() from None
        self.public = self._key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()

    @property
    def blob(self) -> bytes:
        """The public half in the form that goes over the wire."""
        return base64.b64decode(self.public.split()[1])

    def sign(self, data: bytes, flags: int = RSA_SHA512) -> bytes:
        """Give a signature blob; ``flags`` choose the hash where the key is RSA (SHA-1 is never made)."""
        name, signature = self._sign(data, flags)
        return string(name) + string(signature)

    def _sign(self, data: bytes, flags: int) -> tuple[bytes, bytes]:
        key = self._key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return b"ssh-ed25519", key.sign(data)
        if isinstance(key, rsa.RSAPrivateKey):
            short = flags & RSA_SHA256 and not flags & RSA_SHA512
            name, digest = (b"rsa-sha2-256", SHA256()) if short else (b"rsa-sha2-512", SHA512())
            return name, key.sign(data, padding.PKCS1v15(), digest)
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVE_HASHES:
            r, s = decode_dss_signature(key.sign(data, ec.ECDSA(_CURVE_HASHES[key.curve.name]())))
            return self.public.split()[0].encode(), string(_mpint(r)) + string(_mpint(s))
        raise _bad_key()

    def __repr__(self) -> str:
        """Show the public half."""
        return f"SshKey({self.public})"


def string(data: bytes) -> bytes:
    """Give bytes with their length before them."""
    return struct.pack(">I", len(data)) + data


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _bad_key() -> StateError:
    return StateError(
        "the workspace's SSH key cannot be read",
        remedy="store it anew with `lockstep workspace set NAME --ssh-key-stdin` or `--signing-key-stdin`",
        reason="BAD_KEY",
    )
