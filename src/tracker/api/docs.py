"""The documentation of the API: OpenAPI documents, and Swagger UI to read and try them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from tracker.api.http_route import HttpRoute, unknown_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from tracker.api.http_route import HttpRequest
    from tracker.services.call import Call

_FOLDER = Path(__file__).parent

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def documentation() -> Sequence[HttpRoute]:
    """Return `/docs`, `/openapi.json` (3.1), `/swagger.json` (2.0), and `/`, which redirects to `/docs`."""
    return (
        HttpRoute("GET", "/", _lead_to_docs),
        _file("/docs", _FOLDER / "swagger_ui" / "index.html", "text/html"),
        _file("/docs/initializer.js", _FOLDER / "swagger_ui" / "initializer.js", "text/javascript"),
        _folder("/docs/assets/{file=**}", _swagger_ui()),
        _file("/openapi.json", _FOLDER / "spec" / "openapi.json", "application/json"),
        _file("/swagger.json", _FOLDER / "spec" / "swagger.json", "application/json"),
    )


async def _lead_to_docs(_request: HttpRequest, _call: Call) -> Response:
    return RedirectResponse("/docs")


def _file(path: str, file: Path, media_type: str) -> HttpRoute:
    async def answer(_request: HttpRequest, _call: Call) -> Response:
        return FileResponse(file, media_type=media_type, headers=_HEADERS)

    return HttpRoute("GET", path, answer)


def _folder(path: str, folder: Path) -> HttpRoute:
    files = StaticFiles(directory=folder)

    async def answer(request: HttpRequest, _call: Call) -> Response:
        try:
            return await files.get_response(request.captures[0], request.scope)
        except HTTPException:
            raise unknown_path() from None

    return HttpRoute("GET", path, answer)


def _swagger_ui() -> Path:
    """Return the folder of Swagger UI; its package is not imported, since that needs Flask."""
    package = find_spec("flask_swagger_ui")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("flask-swagger-ui is not installed; it brings Swagger UI")
    return Path(package.origin).parent / "dist"
