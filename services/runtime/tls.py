"""Mutual TLS between services. In ``server`` mode a missing certificate stops the start."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from services.core.errors import InvalidInputError


@dataclass(frozen=True)
class Certificates:
    """Files of PEM: the service's own certificate and key, and the authority of all services."""

    certificate: Path
    key: Path
    authority: Path

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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"the TLS file {path} cannot be read",
            remedy="mount certificate, key and authority and set LOCKSTEP_TLS__CERTIFICATE, __KEY, __AUTHORITY",
        ) from error
