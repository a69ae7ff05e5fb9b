"""TLS for the servers: certificates from files, which are read again when they change."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from tracker.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

_LOOK_SECONDS = 2.0


class _Listening(ssl.SSLContext):
    """The context of a server: each connection gets what is `current` when it begins.

    It gets that as a whole. Were only its certificate replaced, a client could resume a session that began
    under an authority whose clients are no longer let in.
    """

    current: ssl.SSLContext

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - as in the base class
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


class Tls:
    """The certificate, its key, and the authorities whose clients are let in, if only those are.

    A connection keeps what it began with; new ones get what the files have. While these can't be used,
    what was read before is.
    """

    def __init__(
        self, certificate: Path, key: Path, client_authorities: Path | None, log: FilteringBoundLogger
    ) -> None:
        """Read the files.

        Raises:
            OSError: One can't be read, or used; the message names it.
        """
        self._certificate = certificate
        self._key = key
        self._client_authorities = client_authorities
        self._log = log
        self._contexts: dict[_Listening, tuple[str, bool]] = {}
        self._read = self._stamp()
        self._make("http/1.1", for_clients=False)

    def context(self, protocol: str, *, for_clients: bool = True) -> ssl.SSLContext:
        """Return the context of a server for a protocol of ALPN; `for_clients`, it may want certificates."""
        listening = _Listening(ssl.PROTOCOL_TLS_SERVER)
        listening.current = self._make(protocol, for_clients=for_clients)
        self._contexts[listening] = (protocol, for_clients)
        return listening

    async def follow(self) -> None:
        """Read the files again if they have changed: one round of a background task.

        Raises:
            SetupError: They can't be used; what was read before stays in use.
        """
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            stamp = self._stamp()
            if stamp == self._read:
                return
            made = {
                listening: self._make(protocol, for_clients=for_clients)
                for listening, (protocol, for_clients) in self._contexts.items()
            }
        except OSError as error:
            problem = str(error) if error.errno else error.args[1]
            raise SetupError(f"{problem}; the files read before are in use") from None
        for listening, context in made.items():
            listening.current = context
        self._read = stamp
        self._log.info("TLS files read again")

    def _make(self, protocol: str, *, for_clients: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols([protocol])
        try:
            context.load_cert_chain(self._certificate, self._key, password=_no_password)
        except (OSError, ValueError) as error:
            raise _unusable(error, (self._certificate, self._key)) from None
        if self._client_authorities is not None and for_clients:
            context.verify_mode = ssl.CERT_REQUIRED
            try:
                context.load_verify_locations(self._client_authorities)
            except (OSError, ValueError) as error:
                raise _unusable(error, (self._client_authorities,)) from None
        return context

    def _stamp(self) -> Sequence[tuple[int, int]]:
        files = (self._certificate, self._key, self._client_authorities)
        found = [file.stat() for file in files if file is not None]
        return [(status.st_mtime_ns, status.st_ino) for status in found]


def _no_password() -> str:
    raise ValueError("the key is encrypted, which is not supported")


def _unusable(error: OSError | ValueError, files: Sequence[Path]) -> OSError:
    """Return the error for files that can't be used as they are."""
    names = " and ".join(str(file) for file in files)
    reason = str(error) if isinstance(error, ValueError) else error.strerror
    if isinstance(error, ssl.SSLError):
        reason = "expected PEM, and the key of the certificate" if len(files) > 1 else "expected PEM"
    return OSError(0, f"TLS can't use {names}: {reason}")
