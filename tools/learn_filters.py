"""Make the built-in filters, nst/data/builtin.npz, by one of two routes.

    python -m tools.learn_filters distil --weights vgg19_notop.h5 --output nst/data/builtin.npz   # the one that ships
    OPENBLAS_NUM_THREADS=1 python -m tools.learn_filters kmeans --output kmeans.npz    # without a pretrained network

Both are deterministic: the same bytes for the same input, machine and number of threads. `benchmarks/filters.py`
compares them. Besides what the program needs, this takes scikit-image (requirements-dev.txt), whose data folder holds
the photographs.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

from nst import weights
from nst.files import write_atomically
from nst.weights import Filters

WIDTH = 0.5
"""Of VGG19's channels; benchmarks/README.md has the figures of narrower ones."""


def main() -> None:
    options = _options()
    begun = time.perf_counter()
    data = weights.pack(_learn(options))
    write_atomically(options.output, data)
    print(f"{options.output}: {len(data):,} bytes, {time.perf_counter() - begun:.0f} s")
    print(f"sha256 (BUILTIN_SHA256 in nst/weights.py for the one that ships): {hashlib.sha256(data).hexdigest()}")


def _learn(options: argparse.Namespace) -> Filters:
    from nst.engine import prepare_tensorflow  # TensorFlow takes seconds to load, --help should not
    from tools.pictures import training_pictures

    prepare_tensorflow()
    pictures = training_pictures()
    if options.route == "kmeans":
        from tools import kmeans

        return kmeans.learn(pictures, width=options.width, seed=options.seed, report=print)
    from tools import distil

    teacher = weights.read(options.weights).filters
    widths = {layer: round(channels * options.width) for layer, channels in weights.CHANNELS.items()}
    return distil.distil(teacher, widths, pictures, seed=options.seed, rounded=weights.rounded, report=print)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("route", choices=["distil", "kmeans"])
    parser.add_argument("--weights", type=Path, help="VGG19's file, for distil")
    parser.add_argument("--width", type=float, default=WIDTH, help="fraction of VGG19's channels (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    if not 0 < options.width <= 1:
        parser.error(f"--width must be above 0 and at most 1. Received: {options.width}.")
    if options.route == "distil" and options.weights is None:
        parser.error("distil needs --weights, VGG19's file")
    return options


if __name__ == "__main__":
    main()
