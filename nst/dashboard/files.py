"""The gallery's pictures as files of the web server, so that pages name them by address and nothing is encoded anew."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from nst.dashboard import service
from nst.errors import GalleryError

# Streamlit guards its web socket against foreign host names (DNS rebinding), but not the routes that are added to it.
MIDDLEWARE = [Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])]


def thumbnail(request: Request) -> Response:
    """A result's thumbnail by its id."""
    try:
        path = service.gallery().get(request.path_params["id"]).thumbnail_path
    except GalleryError as error:
        return PlainTextResponse(str(error), 404)
    return FileResponse(path)


ROUTES = [Route("/files/thumbnail/{id}", thumbnail)]
