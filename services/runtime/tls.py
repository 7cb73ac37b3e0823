"""Mutual TLS between services. In ``server`` mode a missing certificate stops the start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.core.errors import InvalidInputError

_REMEDY: Final = "mount certificate, key and authority and set LOCKSTEP_TLS__CERTIFICATE, __KEY, __AUTHORITY"


@dataclass(frozen=True)
class Certificates:
    """Files of PEM: the service's own certificate and key, and the authority of all services."""

    certificate: Path
    key: Path
    authority: Path

    def check(self) -> None:
        """Raise InvalidInputError when a file cannot be read, is no PEM, or the key is not the certificate's."""
        certificate = _certificates(self.certificate)[0]
        _certificates(self.authority)
        try:
            key = serialization.load_pem_private_key(_read(self.key), password=None)
        except (ValueError, TypeError):
            raise _bad(self.key, "holds no private key in PEM without a passphrase") from None
        shape = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*shape) != certificate.public_key().public_bytes(*shape):
            raise _bad(self.key, f"is not the key of {self.certificate}")

    def server(self) -> grpc.ServerCredentials:
        """Give credentials that demand a certificate of every client."""
        return grpc.ssl_server_credentials(
            [(_read(self.key), _read(self.certificate))],
            root_certificates=_read(self.authority),
            require_client_auth=True,
        )

    def channel(self) -> grpc.ChannelCredentials:
        """Give credentials that show the service's certificate and check the other's."""
        return grpc.ssl_channel_credentials(_read(self.authority), _read(self.key), _read(self.certificate))


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise _bad(path, "holds no certificate in PEM") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise _bad(path, "cannot be read") from None


def _bad(path: Path, what: str) -> InvalidInputError:
    return InvalidInputError(f"the TLS file {path} {what}", remedy=_REMEDY)
