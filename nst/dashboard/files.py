"""The gallery's pictures as files of the web server, so that pages name them by address and nothing is encoded anew.

    /files/thumbnail/{id}                    a result, small
    /files/picture/{id}?colours=&blend=      a result for the screen, with its kept look or the one asked for
    /files/frame/{id}/{number}               a picture kept on the way, by its evaluation
    /files/input/{sha256}?size=screen        a photograph or style: small, or for the screen

Nothing of a request becomes part of a path: ids and hashes are checked, then looked up.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import wraps
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from nst import colour, image
from nst.colour import Look
from nst.dashboard import service
from nst.errors import GalleryError, NSTError, SettingsError
from nst.gallery import Entry, Input
from nst.gallery.entry import EXTENSIONS, read_bytes
from nst.gallery.files import PREVIEW_SIDE, load

# Streamlit guards its web socket against foreign host names (DNS rebinding), but not the routes that are added to it.
MIDDLEWARE = [Middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])]

QUALITY = 90
MEDIA_TYPES = {".jpg": "image/jpeg", ".webp": "image/webp", ".png": "image/png"}
_BLEND = re.compile(r"0|1|[01]\.[0-9]{1,3}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

ASK_AGAIN = "private, no-cache"
"""A browser keeps the file and asks each time whether it is still the same: an entry's look may change."""
FOR_GOOD = "private, max-age=31536000, immutable"
"""For what is named by the hash of its content."""

T = TypeVar("T")


# Keeping what was made ---------------------------------------------------------------------------------------------


class Pixels(NamedTuple):
    """A picture at the size of a screen."""

    rgb: np.ndarray
    """(h, w, 3) uint8 sRGB."""
    alpha: np.ndarray | None
    """(h, w) float32 in [0, 1]."""

    @property
    def nbytes(self) -> int:
        return self.rgb.nbytes + (0 if self.alpha is None else self.alpha.nbytes)


class Cache(Generic[T]):
    """The things used last, of at most `capacity` bytes as `size` counts them; safe to use from any thread."""

    def __init__(self, capacity: int, size: Callable[[T], int]) -> None:
        self.capacity, self.used = capacity, 0
        self._size = size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._making: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under `key`, made where it is not: by one thread, for which the others wait."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            making = self._making.get(key)
            if making is None:
                mine = self._making[key] = Future()
        return self._made(key, make, mine) if making is None else making.result()

    def _made(self, key: Hashable, make: Callable[[], T], mine: Future[T]) -> T:
        """Make it, keep it, and hand it or the error to those who wait."""
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._kept[key] = made
            self.used += self._size(made)
            while self.used > self.capacity:
                self.used -= self._size(self._kept.popitem(last=False)[1])
        mine.set_result(made)
        return made


_PIXELS = Cache[Pixels](64 * 2**20, lambda pixels: pixels.nbytes)
"""So that nothing is decoded and resized anew while somebody moves the blend."""
_ENCODED = Cache[bytes](32 * 2**20, len)
_RENDERING = threading.BoundedSemaphore(2)
"""A large picture takes hundreds of megabytes while it is decoded: a page that asks for many must not do so at once."""


# Answers -----------------------------------------------------------------------------------------------------------


def _in_words(handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A route whose errors are answers: 400 for what is asked wrongly, 404 for what is not there."""

    @wraps(handler)
    def answer(request: Request) -> Response:
        try:
            response = handler(request)
        except SettingsError as error:
            response = PlainTextResponse(str(error), 400)
        except NSTError as error:
            response = PlainTextResponse(str(error), 404)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return answer


def _reply(
    request: Request, version: tuple[Hashable, ...], make: Callable[[], bytes], kind: str, keep: str = ASK_AGAIN
) -> Response:
    """The bytes, or only the word that the browser has them already; `version` changes when they do."""
    headers = {"ETag": f'"{hashlib.sha256(repr(version).encode()).hexdigest()[:32]}"', "Cache-Control": keep}
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(make(), media_type=kind, headers=headers)


def _stamp(path: Path) -> tuple[str, int, int]:
    """What tells one state of a file from another; raises `GalleryError` where it is missing."""
    try:
        found = path.stat()
    except OSError as error:
        raise GalleryError(f"A file of the gallery is missing. Received: {path.name}. Put it back.") from error
    return str(path), found.st_mtime_ns, found.st_size


def _reply_file(request: Request, path: Path) -> Response:
    return _reply(request, _stamp(path), lambda: read_bytes(path), MEDIA_TYPES[path.suffix])


# Routes ------------------------------------------------------------------------------------------------------------


@_in_words
def thumbnail(request: Request) -> Response:
    """A result's thumbnail by its id."""
    return _reply_file(request, _entry(request).thumbnail_path)


@_in_words
def picture(request: Request) -> Response:
    """A result as the screen shows it: at most 1440 pixels, with the look asked for or else the one it keeps."""
    entry = _entry(request)
    look = _look(request, entry.look)
    version = ("picture", *_stamp(entry.picture_path), entry.content.sha256, look)
    kind = "image/webp" if entry.transparent else "image/jpeg"
    return _reply(
        request, version, lambda: _ENCODED.get(version, lambda: _in_turn(lambda: _rendered(entry, look))), kind
    )


@_in_words
def frame(request: Request) -> Response:
    """A picture kept on the way, by the evaluation it was kept after."""
    entry, number = _entry(request), request.path_params["number"]
    wanted = int(number) if _NUMBER.fullmatch(number) else None
    for path in entry.frame_paths:
        if _NUMBER.fullmatch(path.stem) and int(path.stem) == wanted:
            return _reply_file(request, path)
    raise GalleryError(f"There is no such picture on the way. Received: {number[:20]!r}. See the result's timeline.")


@_in_words
def input_(request: Request) -> Response:
    """A photograph or a style by the hash of its bytes, small or for the screen, as a JPEG."""
    found, size = _input(request.path_params["sha256"]), request.query_params.get("size", "thumbnail")
    if size not in ("thumbnail", "screen"):
        raise SettingsError(f"Unknown size. Received: {size[:20]!r}. Choose thumbnail or screen.")
    version = ("input", found.sha256, size)

    def make() -> bytes:
        if size == "thumbnail":
            return _in_turn(lambda: service.gallery().input_thumbnail(found))
        path = service.gallery().input_path(found)
        return _ENCODED.get(version, lambda: _in_turn(lambda: _encoded(_pixels(path), opaque=True)))

    return _reply(request, version, make, "image/jpeg", FOR_GOOD)


def _entry(request: Request) -> Entry:
    return service.gallery().get(request.path_params["id"])


def _look(request: Request, kept: Look) -> Look:
    """The look that the query names; what it leaves out is as `kept`. Raises `SettingsError`."""
    colours, blend = request.query_params.get("colours", kept.colours), request.query_params.get("blend")
    if blend is None:
        return Look.from_dict({"colours": colours, "blend": kept.blend})
    if not _BLEND.fullmatch(blend):
        raise SettingsError(f"blend must be a number from 0 to 1 with at most 3 decimals. Received: {blend[:20]!r}.")
    return Look.from_dict({"colours": colours, "blend": float(blend)})


def _input(sha256: str) -> Input:
    """The picture of the gallery that has this hash; raises `GalleryError` where there is none."""
    if _SHA256.fullmatch(sha256):
        for ext in EXTENSIONS:
            found = Input(sha256, ext, "")
            if service.gallery().input_path(found).is_file():
                return found
    raise GalleryError(f"There is no such picture in the gallery. Received: {sha256[:64]!r}. Add it again.")


# Pixels ------------------------------------------------------------------------------------------------------------


def _in_turn(make: Callable[[], bytes]) -> bytes:
    """What `make` gives, when fewer than two others are at it. Never call it within itself."""
    with _RENDERING:
        return make()


def _rendered(entry: Entry, look: Look) -> bytes:
    shown = _pixels(entry.picture_path)
    if look.plain:
        return _encoded(shown)
    rgb = colour.apply(_floats(shown.rgb), _floats(_pixels(entry.content_path).rgb), look)
    return _encoded(Pixels(image.to_uint8(rgb), shown.alpha))


def _pixels(path: Path) -> Pixels:
    """A picture of the gallery at the size of a screen."""
    return _PIXELS.get(_stamp(path), lambda: _loaded(path))


def _loaded(path: Path) -> Pixels:
    found = load(path)
    height, width = found.rgb.shape[:2]
    scale = min(1, PREVIEW_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Pixels(
        image.to_uint8(image.resize(found.rgb, size)), None if found.alpha is None else image.resize(found.alpha, size)
    )


def _encoded(pixels: Pixels, *, opaque: bool = False) -> bytes:
    """A JPEG, or WebP where it is transparent and may be."""
    if pixels.alpha is None or opaque:
        return image.encode_jpeg(_floats(pixels.rgb), pixels.alpha, quality=QUALITY)
    return image.encode_webp(_floats(pixels.rgb), pixels.alpha, quality=QUALITY)


def _floats(rgb: np.ndarray) -> np.ndarray:
    return np.divide(rgb, 255, dtype=np.float32)


ROUTES = [
    Route("/files/thumbnail/{id}", thumbnail),
    Route("/files/picture/{id}", picture),
    Route("/files/frame/{id}/{number}", frame),
    Route("/files/input/{sha256}", input_),
]
