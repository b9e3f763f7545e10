"""Zip files from anywhere: members are read one at a time, bounded, and only by names we know.

Nothing is ever unpacked to a folder, so that names that lead out of one, links and zips in zips lead nowhere.
"""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nst.errors import GalleryError, NSTError

MAX_MEMBERS = 100_000
MAX_TOTAL = 32 * 2**30
"""Bytes of all members together, unpacked."""
MAX_DIRECTORY = 16 * 2**20
"""Bytes of a zip's own list of names, which is read before anything in it can be counted."""
MAX_PICTURE = 2**30
"""Bytes of a picture's file; what it unpacks to is bounded by `nst.image.load`."""
MAX_RECORD = 2**20
MAX_MANIFEST = 16 * 2**20
MAX_TABLE = 64 * 2**20
"""Bytes of a table of losses."""
_CHUNK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The others of Python's zipfile unpack a block whole, whatever its size."""


class Archive:
    """The members of a zip file by name. Make it with `opened`."""

    def __init__(self, zip_: zipfile.ZipFile, *, total: int) -> None:
        self._zip = zip_
        self._room = self._most = total
        self._counted: set[str] = set()
        # By hand, for zipfile's own is_dir fails on a name without any characters; nobody could ask for that one.
        infos = [info for info in zip_.infolist() if info.filename and not info.filename.endswith("/")]
        _check_directory(infos, total)
        self._members = {info.filename: info for info in infos}
        self.names = tuple(self._members)

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str, limit: int) -> bytes:
        """A member of at most `limit` bytes; raises `GalleryError` where there is none that can be read."""
        info = self._members.get(name)
        if info is None:
            raise GalleryError(f"The zip has no {_short(name)}. Export the result again.")
        _check_member(info, limit)
        parts = []
        read = 0
        with _readable(name), self._zip.open(info) as file:
            while part := file.read(_CHUNK):
                read += len(part)
                if read > min(limit, self._room):  # the directory may say less than there is
                    raise _too_large(name, limit if read > limit else self._most)
                parts.append(part)
        if name not in self._counted:  # frames are read twice: to see that they are whole, and to keep them
            self._counted.add(name)
            self._room -= read
        return b"".join(parts)


@contextmanager
def opened(source: Path | bytes | BinaryIO, *, total: int = MAX_TOTAL) -> Iterator[Archive]:
    """A zip file for reading: a path, its bytes, or a file that can seek.

    Raises `GalleryError` where it can't be read, is no zip file, is encrypted, has two members of one name, more
    than `MAX_MEMBERS` members, or says that they unpack to more than `total` bytes.
    """
    with _file(source) as file:
        with _readable("The file"):
            zip_ = zipfile.ZipFile(_Bounded(file))
        with zip_:
            yield Archive(zip_, total=total)


class _Bounded:
    """A file of which nobody reads more at once than a list of names may have."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise GalleryError(
                f"The zip has too many files. Received: a list of names of {size:,} bytes. "
                "Export fewer results at once."
            )
        return self._file.read(size)


@contextmanager
def _file(source: Path | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif not isinstance(source, Path):
        yield source
    elif not source.is_file():  # not a device or a pipe, which might never end
        raise GalleryError(f"There is no file called {source.name}. Check the path, or choose the file again.")
    else:
        try:
            file = source.open("rb")
        except OSError as error:
            raise GalleryError(f"{source.name} can't be read: {error.strerror}. Check its permissions.") from error
        with file:
            yield file


@contextmanager
def _readable(name: str) -> Iterator[None]:
    # Whatever a damaged file makes zipfile raise, from struct.error to NotImplementedError, means the same to the
    # reader.
    try:
        yield
    except (NSTError, MemoryError):
        raise
    except Exception as error:
        raise GalleryError(
            f"{_short(name)} is no intact zip file or part of one. Received: {type(error).__name__}. "
            "Download or export it again."
        ) from error


def _check_directory(infos: list[zipfile.ZipInfo], total: int) -> None:
    if any(info.flag_bits & 1 for info in infos):
        raise GalleryError("The zip is encrypted. Received: a zip with a password. Unpack it and zip it without one.")
    if len(infos) > MAX_MEMBERS:
        raise GalleryError(
            f"The zip has too many files. Received: {len(infos):,}, the most is {MAX_MEMBERS:,}. "
            "Export fewer results at once."
        )
    names = {info.filename for info in infos}
    if len(names) < len(infos):
        raise GalleryError("The zip has two files of the same name, so it is damaged or made up. Export it again.")
    if sum(info.file_size for info in infos) > total:
        raise _too_large("The zip", total)


def _check_member(info: zipfile.ZipInfo, limit: int) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise GalleryError(f"{_short(info.filename)} is a link, not a file. Zip the files themselves.")
    if info.compress_type not in _METHODS:
        raise GalleryError(
            f"{_short(info.filename)} is packed in a way that isn't supported. Received: method {info.compress_type}. "
            "Unpack the zip, and zip it with the usual method (deflate)."
        )
    if info.file_size > limit:
        raise _too_large(info.filename, limit)


def _too_large(name: str, most: int) -> GalleryError:
    return GalleryError(f"{_short(name)} unpacks to too much. Received: more than {most:,} bytes. Export it again.")


def _short(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:80])
