"""Find, verify and fetch the VGG19 weights; the built-in filters that need no download.

Nothing here imports TensorFlow or Keras, but for a download, which asks Keras where its file lives. The network is
Simonyan and Zisserman's (2015, arXiv:1409.1556) as Keras converted it from the Caffe original.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import queue
import re
import stat
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from nst.config import BUILTIN, CONVOLUTIONS
from nst.errors import WeightsError
from nst.result import NetworkInfo

MEAN_BGR = (103.939, 116.779, 123.68)
"""What to subtract from BGR 0..255, which the filters are made for: ImageNet's mean, as VGG19 was trained with."""

MD5 = "253f8cb515780f3b799900260a226db6"
"""Of the file that Keras publishes, and checks with this sum."""
FILE_NAME = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
ENV_WEIGHTS, ENV_OFFLINE = "NST_VGG19_WEIGHTS", "NST_OFFLINE"
RETRY_AFTER = 600.0
"""Seconds for which a failed download is remembered, so that not every job waits for the time-out."""

CHANNELS = dict(zip(CONVOLUTIONS, (64,) * 2 + (128,) * 2 + (256,) * 4 + (512,) * 8, strict=True))
BUILTIN_FILE = Path(__file__).parent / "data" / "builtin.npz"
BUILTIN_SHA256 = "061800c176ad1387228fbcc7e4490db2a618e363bbc1d0173a7e523d82ad3e99"
"""Of the file's bytes; `tools/learn_filters.py` tells it."""
_REINSTALL = f"Install the program again, or name a VGG19 file in {ENV_WEIGHTS}."

Progress = Callable[[int, int | None], None]
"""Called with bytes received and bytes expected, None where the server does not say."""
Filters = Mapping[str, tuple[np.ndarray, np.ndarray]]

_INSTEAD = f"Download it again, name another file in {ENV_WEIGHTS}, or choose {BUILTIN!r}."


class DownloadError(WeightsError):
    """The weights could not be fetched; `reason` is the short form of why."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"VGG19 could not be downloaded: {reason}. Check the network and try again, or fetch the file on another "
            f"computer and name it in {ENV_WEIGHTS}, or choose {BUILTIN!r}."
        )
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Network:
    """The filters of a VGG19-shaped network; equal and hashed by the filters' sha256, so that it can key caches.

    The input they are made for: (1, h, w, 3) float32, BGR 0..255 minus `MEAN_BGR`.
    """

    info: NetworkInfo
    filters: Filters
    """For each of `CONVOLUTIONS` a kernel (3, 3, in, out) and a bias (out,), both float32 and read-only."""
    warning: str = ""
    """Something to tell the user about these filters; usually empty."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.info.sha256 == other.info.sha256

    def __hash__(self) -> int:
        return hash(self.info.sha256)


@dataclass(frozen=True)
class Description:
    """What `find` would use, in words, without anything loaded or downloaded."""

    name: str
    """`vgg19` or `builtin`."""
    text: str
    ready: bool
    """Whether it is on this computer; False where it would be downloaded, or where a named file is missing."""
    path: Path | None = None


def choose(chosen: str | None, preferred: str | None) -> str | None:
    """What to ask `find` for: what the user chose, here or in $NST_VGG19_WEIGHTS, else what is preferred."""
    return chosen if chosen or os.environ.get(ENV_WEIGHTS) else preferred


def find(choice: str | Path | None = None, *, progress: Progress | None = None, offline: bool = False) -> Network:
    """The network to use: `choice` or else $NST_VGG19_WEIGHTS (a file, or "builtin"), Keras' cache, a download.

    Without any of these, the built-in filters with a `source` that says why. Raises `WeightsError` where a file that
    was asked for can't be used; what `progress` raises passes through and ends the download.
    """
    wanted = choice or os.environ.get(ENV_WEIGHTS)
    if wanted == BUILTIN:
        return builtin()
    if wanted:
        return read(wanted)
    path = cache_path()
    with _finding:  # a second caller waits for the first one's download and then finds it in the cache
        cached, fault = _cached(path)
        if cached:
            return cached
        reason = _why_not_fetched(path, progress, offline)
        if reason is None:
            return _genuine(path, f"downloaded to Keras' cache{fault and '; it replaced a damaged file there'}")
    why = f"built-in filters, because VGG19 is not on this computer and could not be downloaded: {reason}{fault}"
    hint = f"Pictures look different than with VGG19. Go online and try again, or name its file in {ENV_WEIGHTS}."
    network = builtin()
    return replace(network, info=network.info._replace(source=why), warning=hint)


def describe(choice: str | Path | None = None, *, offline: bool = False) -> Description:
    """What `find` with the same arguments would use, as far as can be told without reading or fetching it."""
    wanted = choice or os.environ.get(ENV_WEIGHTS)
    if wanted == BUILTIN:
        return _describe_builtin("which come with the program")
    if wanted:
        path = Path(os.path.expanduser(wanted))
        found = os.path.isfile(path)
        return Description("vgg19", f"the file {path}{'' if found else ', which does not exist'}", found, path)
    path = cache_path()
    if os.path.isfile(path):
        return Description("vgg19", f"Keras' copy, {path}; checked before it is used", True, path)
    if reason := _reason_not_to_try(offline):
        return _describe_builtin(f"because VGG19 is not here: {reason}")
    return Description("vgg19", "VGG19, to be downloaded once (80 MB)", False, path)


def _describe_builtin(why: str) -> Description:
    found = BUILTIN_FILE.is_file()
    return Description(
        BUILTIN, f"built-in filters, {why if found else 'but their file is missing. ' + _REINSTALL}", found
    )


def cache_path() -> Path:
    """Where Keras keeps its copy: KERAS_HOME or ~/.keras, or the temporary folder where home can't be written."""
    home = os.path.expanduser("~")
    base = home if os.access(home, os.W_OK) else tempfile.gettempdir()
    return Path(os.environ.get("KERAS_HOME") or Path(base, ".keras")) / "models" / FILE_NAME


_finding = threading.Lock()
_failure: tuple[float, str] | None = None  # (when, why) the last download of this process failed


def forget_failure() -> None:
    """Let the next `find` try to download again, for a "try again" button."""
    global _failure
    _failure = None


def _reason_not_to_try(offline: bool) -> str | None:
    if offline or os.environ.get(ENV_OFFLINE, "").lower() not in ("", "0", "false", "no"):
        return "working offline"
    if (failure := _failure) and time.monotonic() - failure[0] < RETRY_AFTER:
        return failure[1]
    return None


def _why_not_fetched(path: Path, progress: Progress | None, offline: bool) -> str | None:
    """Downloads; None when that went well, else the reason in short."""
    global _failure
    if reason := _reason_not_to_try(offline):
        return reason
    try:
        download(path, progress=progress)
    except DownloadError as error:
        _failure = time.monotonic(), error.reason
        return error.reason
    return None


def _cached(path: Path) -> tuple[Network | None, str]:
    """The network in Keras' cache, if its file is whole, and else a remark on what is wrong with it."""
    try:
        if not path.exists():
            return None, ""
        return _genuine(path, "Keras' copy on this computer"), ""
    except (WeightsError, OSError):
        return None, f". The file {path.name} in Keras' cache is damaged or unreadable and was not used"


def _genuine(path: Path, source: str) -> Network:
    network = read(path)
    if network.warning:
        raise _fault(path, "is not the file that Keras publishes. " + _INSTEAD)
    return replace(network, info=network.info._replace(source=f"VGG19, {source}"))


def read(path: str | Path) -> Network:
    """The network `vgg19` from an HDF5 file in the classic Keras layout or the one that tf.keras or Keras 3 saves.

    Extra layers are ignored. A sound file that is not Keras' own is accepted with a `warning`. Raises `WeightsError`
    naming the file, the fault and the remedy. The last file read is remembered until it changes.
    """
    try:
        path = Path(os.path.expanduser(path))
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # and never open a pipe, which would wait for ever
            raise _fault(path, f"is {'a folder' if path.is_dir() else 'no plain file'}. Name the .h5 file itself.")
        if not status.st_size:
            raise _fault(path, f"is empty. {_INSTEAD}")
        return _read(path, (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino))
    except (OSError, ValueError) as error:
        hint = f"Check the path and its permissions, name another file in {ENV_WEIGHTS}, or choose {BUILTIN!r}."
        raise _fault(path, f"can't be read: {_short(error)}. {hint}") from error


def _fault(path: str | Path, what: str) -> WeightsError:
    return WeightsError(f"The weights file {str(path)!r} {what}")


@lru_cache(maxsize=1)
def _read(path: Path, _stamp: tuple[int, ...]) -> Network:
    with path.open("rb") as file:
        start = file.read(512)
        file.seek(0)
        md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if not h5py.is_hdf5(path):
        page = start.lstrip().startswith(b"<")
        raise _fault(path, f"is {'a web page saved as' if page else 'not'} an HDF5 file. {_INSTEAD}")
    try:
        with np.errstate(over="ignore"), h5py.File(path, "r", locking=False) as file:
            filters = {name: _layer(path, file, index, name) for index, name in enumerate(CONVOLUTIONS)}
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # h5py uses all of these
        raise _fault(path, f"is cut short or damaged ({_short(error)}). {_INSTEAD}") from error
    if md5 == MD5:
        return make("vgg19", f"VGG19, the file {path.name}", filters)
    # The folder is left out: this text travels with shared pictures, and folders bear people's names.
    warning = f"{path.name} is not the file that Keras publishes (md5 {md5}): pictures may differ from VGG19's usual."
    return make("vgg19", f"VGG19, the file {path.name}, not the one that Keras publishes", filters, warning)


def _layer(path: Path, file: h5py.File, index: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    keras_3 = f"layers/conv2d_{index}" if index else "layers/conv2d"
    group = next((file[at] for at in (name, f"model_weights/{name}", keras_3) if at in file), None)
    arrays: list[h5py.Dataset] = []
    if isinstance(group, h5py.Group):
        group.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
    if len(arrays) != 2:
        raise _fault(path, f"has no layer {name} with one kernel and one bias: it is of another network. {_INSTEAD}")
    bias, kernel = sorted(arrays, key=lambda array: len(array.shape or ()))
    received, expected = CHANNELS[CONVOLUTIONS[index - 1]] if index else 3, CHANNELS[name]
    shapes = (3, 3, received, expected), (expected,)
    return _array(path, f"kernel of {name}", kernel, shapes[0]), _array(path, f"bias of {name}", bias, shapes[1])


def _array(path: Path, what: str, dataset: h5py.Dataset, shape: tuple[int, ...]) -> np.ndarray:
    if dataset.shape != shape or dataset.dtype.kind != "f":
        raise _fault(
            path,
            f"is of another network: the {what} must be floats of shape {shape}. "
            f"Received: {dataset.dtype} of shape {dataset.shape}. {_INSTEAD}",
        )
    values = dataset[()].astype(np.float32)
    if not np.isfinite(values).all():
        raise _fault(path, f"is damaged: the {what} holds values that are not finite numbers. {_INSTEAD}")
    return values


def make(name: str, source: str, filters: Filters, warning: str = "") -> Network:
    """A network of these filters, which become read-only.

    Its sha256 is over names, shapes and little-endian float32 values: the same filters, the same id, from any file.
    """
    digest = hashlib.sha256()
    for layer, arrays in filters.items():
        for array in arrays:
            array.flags.writeable = False
            digest.update(f"{layer}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array, "<f4").data)
    return Network(NetworkInfo(name, digest.hexdigest(), source), MappingProxyType(dict(filters)), warning)


@lru_cache(maxsize=1)
def builtin() -> Network:
    """The network `builtin`: VGG19's shape at half its width, distilled from it (`tools/learn_filters.py`).

    It needs no download, and an evaluation takes less than a third of VGG19's time. Raises `WeightsError` where the
    installed file is missing or damaged.
    """
    try:
        data = BUILTIN_FILE.read_bytes()
    except OSError as error:
        raise _fault(BUILTIN_FILE, f"of the built-in filters can't be read: {_short(error)}. {_REINSTALL}") from error
    if hashlib.sha256(data).hexdigest() != BUILTIN_SHA256:
        raise _fault(BUILTIN_FILE, f"of the built-in filters is damaged or of another version. {_REINSTALL}")
    return make(BUILTIN, "built-in filters, distilled from VGG19", unpack(data))


def pack(filters: Filters) -> bytes:
    """Filters as a compressed file: kernels rounded to 8 bits a value, with one scale a channel. See `unpack`."""
    arrays: dict[str, Any] = {}
    for layer, (kernel, bias) in filters.items():
        scale = _scale(kernel)
        arrays |= {f"{layer}/kernel": np.round(kernel / scale).astype(np.int8), f"{layer}/scale": scale}
        arrays[f"{layer}/bias"] = bias
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack(data: bytes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What `pack` stored: for every layer a kernel (3, 3, in, out) and a bias (out,), float32."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        layers = [key.removesuffix("/kernel") for key in file.files if key.endswith("/kernel")]
        return {layer: (file[f"{layer}/kernel"] * file[f"{layer}/scale"], file[f"{layer}/bias"]) for layer in layers}


def rounded(kernel: np.ndarray) -> np.ndarray:
    """A kernel (3, 3, in, out) as it comes back from `pack` and `unpack`."""
    return np.round(kernel / _scale(kernel)).astype(np.int8) * _scale(kernel)


def _scale(kernel: np.ndarray) -> np.ndarray:
    largest = np.abs(kernel).max((0, 1, 2)).astype(np.float32)
    return np.where(largest > 0, largest / 127, 1).astype(np.float32)


_downloading = threading.Lock()


def download(
    destination: str | Path,
    *,
    url: str | None = None,
    md5: str | None = None,
    progress: Progress | None = None,
    timeout: float = 10.0,
) -> None:
    """Fetch Keras' file (or `url`, checked against `md5`) to `destination`, which appears whole or not at all.

    `timeout` in seconds bounds the wait for the first answer and for each piece after it. Raises `DownloadError`, and
    whatever `progress` raises (an OSError as a `DownloadError`); either way nothing is left behind, and a file that
    was there before stays.
    """
    destination = Path(destination)
    part = destination.with_name(f"{destination.name}.{os.getpid()}.part")
    with _downloading, _explained(timeout):
        url = url or _keras_url()
        destination.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_parts(destination)
        try:
            found = _stream(url, part, progress, timeout)
            if found != (md5 or MD5):
                raise DownloadError(f"what arrived is not the right file (md5 {found}, expected {md5 or MD5})")
            os.replace(part, destination)
        finally:
            part.unlink(missing_ok=True)


def _stream(url: str, part: Path, progress: Progress | None, timeout: float) -> str:
    """Writes the body to `part`, flushed to the disk, and returns its md5."""
    digest, received = hashlib.md5(usedforsecurity=False), 0
    with _open(url, timeout) as response, part.open("wb") as file:
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        while piece := response.read1(1 << 18):  # not read(): a slow server must not delay progress and cancelling
            file.write(piece)
            digest.update(piece)
            received += len(piece)
            if progress:
                progress(received, total)
        if total is not None and received != total:
            raise DownloadError(f"the connection ended after {received} of {total} bytes")
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def _open(url: str, timeout: float) -> http.client.HTTPResponse:
    """In a thread of its own, as looking up the host and trying its addresses in turn know no common time-out."""
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=timeout))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, name="nst-download", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _keras_url() -> str:
    from keras.src.applications.vgg19 import WEIGHTS_PATH_NO_TOP  # slow to import, and needed only here

    return WEIGHTS_PATH_NO_TOP


@contextmanager
def _explained(timeout: float) -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()  # it is the server's answer too
        raise DownloadError(f"the server answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ImportError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        late = isinstance(cause, TimeoutError)
        raise DownloadError(f"no answer within {timeout:g} seconds" if late else _short(cause)) from error


def _short(error: object) -> str:
    return getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__


def _remove_stale_parts(destination: Path) -> None:
    """What killed processes left; one with our own number is overwritten anyway."""
    for part in destination.parent.glob("*.part"):
        match = re.fullmatch(re.escape(destination.name) + r"\.(\d+)\.part", part.name)
        if match and not _alive(int(match[1])):
            part.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there, os.kill would end the process
        return True
    try:
        os.kill(pid, 0)
    except PermissionError:  # someone else's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
