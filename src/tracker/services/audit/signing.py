"""The key that signs checkpoints of the audit log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tracker.audit.chain import Checkpoint
from tracker.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.audit.chain import Entry

_OWNER_ALONE = 0o600


class SigningKey:
    """A private key; `public` is its public key in hexadecimal digits."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    def sign(self, entry: Entry) -> Checkpoint:
        """Return a checkpoint of an entry."""
        unsigned = Checkpoint(entry.number, entry.hash, self.public, "")
        return unsigned._replace(signature=self._key.sign(unsigned.signed).hex())


def signing_key(file: Path | None) -> SigningKey:
    """Return the key in a file, which is made if it is missing; without a file, a key for this process alone.

    Raises:
        SetupError: The file can't be read or made, or has no such key.
    """
    if file is None:
        return SigningKey(Ed25519PrivateKey.generate())
    try:
        pem = file.read_bytes() if file.exists() else _new_file(file)
        key = load_pem_private_key(pem, None)
    except OSError as error:
        raise SetupError(f"{file} can't be used as AUDIT_KEY_FILE: {error.strerror}") from None
    except (ValueError, TypeError):  # its text might quote the key
        raise SetupError(f"{file}, the AUDIT_KEY_FILE, has no private key in PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError(f"{file}, the AUDIT_KEY_FILE, has a key that is not Ed25519")
    return SigningKey(key)


def _new_file(file: Path) -> bytes:
    """Write a new key to a file; return the key in it, which may be that of a server that was faster."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.touch(_OWNER_ALONE, exist_ok=False)
        with new.open("wb") as opened:
            opened.write(pem)
            opened.flush()
            os.fsync(opened.fileno())
        try:
            os.link(new, file)
        except FileExistsError:
            return file.read_bytes()
    finally:
        new.unlink(missing_ok=True)
    return pem
