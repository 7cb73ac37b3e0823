"""Certificates for mutual TLS, made anew for each test that wants some."""

import datetime as dt
import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from services.runtime.tls import Certificates


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Authority:
    """Signs certificates that are good for an hour; its files are in ``folder``."""

    folder: Path
    _key: ec.EllipticCurvePrivateKey = field(default_factory=_key, repr=False)

    def __post_init__(self) -> None:
        """Write its own certificate."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(self._sign("authority", self._key, is_authority=True))

    @property
    def path(self) -> Path:
        """Give the file of its own certificate."""
        return self.folder / "ca.pem"

    def issue(self, name: str) -> Certificates:
        """Make a key, and a certificate that says ``name`` and is good for 127.0.0.1."""
        key = _key()
        files = Certificates(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.path)
        files.certificate.write_bytes(self._sign(name, key, is_authority=False))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return files

    def _sign(self, name: str, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(here, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM)
