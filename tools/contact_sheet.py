"""The README's contact sheet: every sample photograph in every sample style, painted with the built-in filters.

python -m tools.contact_sheet docs/samples.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from nst import image, samples, weights
from nst.config import preset
from nst.engine import stylize
from nst.features import TargetCache

SIZE = 384
CELL, GAP = (208, 148), 6
"""Pixels of a picture on the sheet, and between two."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--size", type=int, default=SIZE, help="longest side to paint at (%(default)s)")
    options = parser.parse_args()
    styles = {sample.key: image.load(samples.file(sample.key)).rgb for sample in samples.styles()}
    rows = [[np.ones((*CELL[::-1], 3), np.float32), *map(_cell, styles.values())]]
    cache, settings = TargetCache(), preset("studio").replace(size=options.size)
    for photograph in samples.photographs():
        content = image.load(samples.file(photograph.key)).rgb
        rows.append([_cell(content)])
        for key, style in styles.items():
            result = stylize(content, [style], settings, network=weights.builtin(), cache=cache)
            rows[-1].append(_cell(result.picture))
            print(f"{photograph.key}, {key}: {result.seconds:.0f} s", flush=True)
    sheet = np.concatenate([np.concatenate([_framed(cell) for cell in row], axis=1) for row in rows])
    options.output.write_bytes(image.encode_jpeg(sheet[:-GAP, :-GAP], quality=80))


def _cell(picture: np.ndarray) -> np.ndarray:
    """The middle of a picture, at the size and shape of a cell."""
    height, width = picture.shape[:2]
    scale = max(CELL[0] / width, CELL[1] / height)
    fitted = image.resize(picture, (max(CELL[0], round(width * scale)), max(CELL[1], round(height * scale))))
    left, top = (fitted.shape[1] - CELL[0]) // 2, (fitted.shape[0] - CELL[1]) // 2
    return fitted[top : top + CELL[1], left : left + CELL[0]]


def _framed(cell: np.ndarray) -> np.ndarray:
    """The cell with a white gap to its right and below."""
    return np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=1.0)


if __name__ == "__main__":
    main()
