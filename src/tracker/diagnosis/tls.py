"""Checks of certificates."""

from __future__ import annotations

import fnmatch
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from tracker.diagnosis.findings import LATE, SOON, date, days, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tracker.config.settings import Settings
    from tracker.diagnosis.findings import Finding


def check_tls(settings: Settings, names: Sequence[str]) -> Iterator[Finding]:
    """Check the files of the settings; the certificate should be for the names, if there are any."""
    if settings.tls_cert is None and settings.tls_key is None and settings.tls_client_ca is None:
        yield ok("TLS", "not used: neither TLS_CERT nor TLS_KEY is set")
        return
    if settings.tls_cert is None or settings.tls_key is None:
        yield failed("TLS", "one of TLS_CERT and TLS_KEY is missing", "set both")
        return
    try:
        chain = _certificates(settings.tls_cert)
        key = load_pem_private_key(settings.tls_key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:  # a TypeError: the key is encrypted
        why = getattr(error, "strerror", None) or "expected PEM, and a key without a password"
        yield failed(
            "TLS", f"{settings.tls_cert} and {settings.tls_key} can't be used: {why}", "correct them"
        )
        return
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        yield failed(
            "TLS key",
            f"{settings.tls_key} is not the key of {settings.tls_cert}",
            "use a certificate and the key that it was made for",
        )
    yield check_expiry("TLS certificate", chain)
    yield _names(chain[0], names)
    if settings.tls_client_ca is not None:
        try:
            yield check_expiry("TLS_CLIENT_CA", _certificates(settings.tls_client_ca))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "expected PEM"
            yield failed("TLS_CLIENT_CA", f"{settings.tls_client_ca} can't be used: {why}", "correct it")


def check_expiry(check: str, chain: Sequence[x509.Certificate]) -> Finding:
    """Check when the first of some certificates expires."""
    now = datetime.now(UTC)
    ends = min(each.not_valid_after_utc for each in chain)
    begins = max(each.not_valid_before_utc for each in chain)
    advice = "renew it; the server reads the files again when they change"
    if ends <= now:
        return failed(check, f"expired on {date(ends)}", advice)
    if begins > now:
        return failed(check, f"not valid before {date(begins)}", "check the clock of this machine, or wait")
    if ends < now + LATE:
        return failed(check, f"expires in {days(ends - now)}, on {date(ends)}", advice)
    if ends < now + SOON:
        return warning(check, f"expires in {days(ends - now)}, on {date(ends)}", advice)
    return ok(check, f"valid until {date(ends)}")


def check_peer(host: str, port: int) -> Finding:
    """Check when the certificate of a server expires, whoever vouches for it."""
    pem = ssl.get_server_certificate((host, port), timeout=5)
    return check_expiry("TLS certificate", x509.load_pem_x509_certificates(pem.encode()))


def _certificates(file: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(file.read_bytes())


def _names(certificate: x509.Certificate, wanted: Sequence[str]) -> Finding:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return failed(
            "TLS names", "the certificate names no host", "request one with a subject alternative name"
        )
    names = [name.lower() for name in extension.get_values_for_type(x509.DNSName)]
    names += [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
    missing = [name for name in wanted if not any(_covers(each, name.lower()) for each in names)]
    if missing:
        return warning(
            "TLS names",
            f"the certificate is not for {', '.join(missing)}, but for {', '.join(names) or 'no host'}",
            "request one for all names of AUTH_PUBLIC_URL and ALLOWED_HOSTS",
        )
    return ok("TLS names", ", ".join(names))


def _covers(name: str, wanted: str) -> bool:
    """Return whether a name of a certificate covers another: a wildcard stands for one label (RFC 6125)."""
    return name.count(".") == wanted.count(".") and fnmatch.fnmatchcase(wanted, name)
