"""Which precision is the quicker one on this computer: the network in bfloat16 where it is multiplied in hardware.

bfloat16 is float32 with 8 bits of mantissa instead of 24 (Kalamkar et al. 2019, arXiv:1905.12322): as wide in range,
so that gradients need no scaling, and half as large. What is measured with it is in `benchmarks/README.md`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from nst.config import AUTO, Settings

IN_HARDWARE = frozenset({"avx512_bf16", "amx_bf16"})
"""What Linux calls a processor's instructions for it: AMD's since Zen 4, Intel's since Cooper Lake."""
LEAST_CAPABILITY = (8, 0)
"""Of an NVIDIA card that multiplies it: Ampere."""


def settled(settings: Settings, precision: str) -> Settings:
    """The same settings, where they leave the precision open with this one."""
    return settings.replace(precision=precision) if settings.precision == AUTO else settings


def quicker(capability: tuple[int, ...] | None = None) -> str:
    """ "mixed" or "float32", for a graphics card of this compute capability, or the processor where there is none."""
    if capability is not None:
        return "mixed" if capability >= LEAST_CAPABILITY else "float32"
    return "mixed" if _flags() & IN_HARDWARE else "float32"


@cache
def _flags() -> frozenset[str]:
    """What the processor can do, in Linux's words; elsewhere nothing is known."""
    try:
        found = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return frozenset()
    return frozenset(found[1].split()) if found else frozenset()
