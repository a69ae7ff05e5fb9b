"""Styles, scripts and pictures of pages, served under a name that changes with their content."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute, unknown_path

if TYPE_CHECKING:
    from tracker.api.routes import HttpRequest
    from tracker.services.context import Call

_FOLDER: Final = Path(__file__).parent / "assets"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOREVER: Final = ("cache-control", "public, max-age=31536000, immutable")
_BRIEFLY: Final = ("cache-control", "no-cache")
_VARY: Final = ("vary", "accept-encoding")


@dataclass(frozen=True, slots=True)
class _Asset:
    media_type: str
    content: bytes
    compressed: bytes


class Assets:
    """All files of the folder, read when the server starts."""

    def __init__(self) -> None:
        files = sorted(file for file in _FOLDER.iterdir() if file.suffix in _MEDIA_TYPES)
        self._assets = {file.name: _read(file) for file in files}
        digest = blake2b(digest_size=6)
        for name, asset in self._assets.items():
            digest.update(name.encode() + b"\0" + asset.content)
        self._version = digest.hexdigest()

    def path(self, name: str) -> str:
        """Return the path of a file; all share one version, so that modules can import their neighbours."""
        if name not in self._assets:
            raise KeyError(name)
        return f"/assets/{self._version}/{name}"

    def route(self) -> HttpRoute:
        """Return the route of all files.

        A page of another version, as while servers are replaced, gets the file that there is.
        """
        return HttpRoute("GET", "/assets/{version}/{name}", self._answer, None, quiet=True)

    async def _answer(self, request: HttpRequest, call: Call) -> HttpResponse:
        version, name = request.captures
        asset = self._assets.get(name)
        if asset is None:
            raise unknown_path()
        tag = ("etag", f'"{self._version}"')
        lasting = _FOREVER if version == self._version else _BRIEFLY
        if tag[1] in call.headers.get("if-none-match", ""):
            return HttpResponse(b"", (tag, lasting, _VARY), HTTPStatus.NOT_MODIFIED)
        headers = [("content-type", asset.media_type), tag, lasting, _VARY]
        if "gzip" in call.headers.get("accept-encoding", ""):
            return HttpResponse(asset.compressed, [*headers, ("content-encoding", "gzip")])
        return HttpResponse(asset.content, headers)


def _read(file: Path) -> _Asset:
    content = file.read_bytes()
    return _Asset(_MEDIA_TYPES[file.suffix], content, gzip.compress(content, 9, mtime=0))
