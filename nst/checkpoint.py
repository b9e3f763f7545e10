"""A run frozen between two evaluations: numbers and arrays, as one file without pickles.

What is in it is the engine's business; here it is packed, and unpacked with the distrust that a file deserves.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nst.errors import NSTError

VERSION = 1
_FACTS = "facts"


class CheckpointError(NSTError):
    """A checkpoint is damaged, of another version, or belongs to another run."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class Checkpoint:
    """Where a run was after its `evaluations`-th evaluation."""

    facts: Mapping[str, Any]
    """JSON types; floats survive exactly."""
    arrays: Mapping[str, np.ndarray]
    """float32, any shape."""

    @property
    def evaluations(self) -> int:
        return int(self.facts["evaluations"])

    def to_bytes(self) -> bytes:
        """An uncompressed .npz file: pixels and gradients hardly compress, and this is written while painting."""
        file = io.BytesIO()
        facts = json.dumps({"version": VERSION, **self.facts}).encode()
        np.savez(file, **{_FACTS: np.frombuffer(facts, np.uint8)}, **self.arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """The reverse of `to_bytes`; raises `CheckpointError` where the file is damaged or of another version."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            facts = json.loads(arrays.pop(_FACTS).tobytes())
            version, _ = facts.pop("version"), int(facts["evaluations"])
            sound = all(array.dtype == np.float32 for array in arrays.values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"The saved state of this run is damaged. Received: {len(data):,} bytes. Paint it again from the start."
            ) from error
        if version != VERSION or not sound:
            raise CheckpointError(
                f"The saved state is of another version of this program. Received: {version!r:.20}. "
                "Paint it again from the start."
            )
        return cls(facts, arrays)
