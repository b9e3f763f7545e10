"""Which precision is the quicker one on this computer: the network in bfloat16 where it is multiplied in hardware.

bfloat16 is float32 with 8 bits of mantissa instead of 24 (Kalamkar et al. 2019, arXiv:1905.12322): as wide in range,
so that gradients need no scaling, and half as large. What is measured with it is in `benchmarks/README.md`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Set
from functools import cache
from pathlib import Path

from nst.config import AUTO, PRESETS, Settings

IN_HARDWARE = frozenset({"avx512_bf16", "amx_bf16"})
"""What Linux calls a processor's instructions for it: AMD's since Zen 4, Intel's since Cooper Lake."""
LEAST_CAPABILITY = (8, 0)
"""Of an NVIDIA card that multiplies it: Ampere."""


def settled(settings: Settings, precision: str) -> Settings:
    """The same settings, where they leave the precision open with this one."""
    return settings.replace(precision=precision) if settings.precision == AUTO else settings


def reopened(settings: Settings) -> Settings:
    """Settings for a new picture, from those of a result: what its preset leaves open is not kept as it was settled."""
    preset = PRESETS.get(settings.preset)
    return settings.replace(precision=AUTO) if preset and preset.settings.precision == AUTO else settings


def quicker(capability: tuple[int, ...] | None = None, flags: Set[str] | None = None) -> str:
    """Which of "mixed" and "float32": for a graphics card of this compute capability, or without one the processor.

    `flags` are what the processor can do, in Linux's words; None: this one's.
    """
    if capability is not None:
        return "mixed" if capability >= LEAST_CAPABILITY else "float32"
    found = _flags() if flags is None else flags
    return "mixed" if found & IN_HARDWARE and _in_use() else "float32"


def _in_use() -> bool:
    """Whether TensorFlow is left to use such instructions: without oneDNN it multiplies bfloat16 ten times slower."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "DEFAULT")).upper()
    return onednn_is_left_on() and any(word in limit for word in ("DEFAULT", "BF16", "AMX"))


def onednn_is_left_on() -> bool:
    """Whether nobody told TensorFlow to do without oneDNN."""
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").lower() not in ("0", "false")


@cache
def _flags() -> frozenset[str]:
    """What the processor can do, in Linux's words; elsewhere nothing is known."""
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(found[1].split()) if found else frozenset()
