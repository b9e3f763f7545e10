"""A run frozen between two evaluations: numbers and arrays, as one file without pickles.

What is in it is the engine's business; here it is packed, and unpacked with the distrust that a file deserves.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from nst.errors import CheckpointError
from nst.files import atomic_file

VERSION = 2
_FACTS = "facts"


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Checkpoint:
    """Where a run was after its `evaluations`-th evaluation."""

    facts: Mapping[str, Any]
    """JSON types; floats survive exactly."""
    arrays: Mapping[str, Any]
    """float32 of any shape: NumPy arrays, or tensors, which are copied to the host one by one when written."""

    @property
    def evaluations(self) -> int:
        return int(self.facts["evaluations"])

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all; raises OSError."""
        with atomic_file(path) as file:
            self._write(file)

    def to_bytes(self) -> bytes:
        """The file that `save` would write."""
        file = io.BytesIO()
        self._write(file)
        return file.getvalue()

    def _write(self, file: BinaryIO) -> None:
        """As .npz, uncompressed: pixels and gradients hardly shrink, and this is written while painting."""
        facts = json.dumps({"version": VERSION, **self.facts}).encode()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, array in {_FACTS: np.frombuffer(facts, np.uint8), **self.arrays}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read what `save` wrote; raises `CheckpointError` where it is missing, damaged or of another version."""
        try:
            with open(path, "rb") as file:
                return cls._read(file)
        except OSError as error:
            raise CheckpointError(
                f"The saved state of this run can't be read: {error.strerror}. Paint it again from the start."
            ) from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """The reverse of `to_bytes`; raises `CheckpointError` where the file is damaged or of another version."""
        return cls._read(io.BytesIO(data))

    @classmethod
    def _read(cls, file: BinaryIO) -> Checkpoint:
        try:
            with np.load(file, allow_pickle=False) as members:
                arrays = {name: members[name] for name in members.files}
            facts = json.loads(arrays.pop(_FACTS).tobytes())
            version, _ = facts.pop("version"), int(facts["evaluations"])
            sound = all(array.dtype == np.float32 for array in arrays.values())
        except Exception as error:  # whatever a damaged archive makes its reader raise
            raise CheckpointError("The saved state of this run is damaged. Paint it again from the start.") from error
        if version != VERSION or not sound:
            raise CheckpointError(
                f"The saved state is of another version of this program. Received: {version!r:.20}. "
                "Paint it again from the start."
            )
        return cls(facts, arrays)
