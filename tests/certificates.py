"""Certificates for tests: an authority, and what it vouches for."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

_DAY = dt.timedelta(days=1)
_PEM = serialization.Encoding.PEM


class Authority:
    """Writes its certificate to `file`, and those that it vouches for next to it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._folder = folder
        self.file = folder / f"{name}.pem"
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self.file.write_bytes(self._sign(self._name, self._key, constraints).public_bytes(_PEM))

    def vouch_for(self, name: str, *hosts: str) -> tuple[Path, Path]:
        """Write a certificate for 127.0.0.1 and hosts, and its key; return both files."""
        key = ec.generate_private_key(ec.SECP256R1())
        own = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        address = x509.SubjectAlternativeName([own, *map(x509.DNSName, hosts)])
        certificate, secret = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        certificate.write_bytes(self._sign(_named(name), key, address).public_bytes(_PEM))
        secret.write_bytes(
            key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return certificate, secret

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(extension, critical=False)
        )
        return builder.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
