"""One button that makes a first picture, for somebody who has none at hand: two samples and the default preset."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from nst import weights
from nst.config import BUILTIN, DEFAULT_PRESET, preset
from nst.dashboard import service
from nst.dashboard.order.samples_shelf import take
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.jobs import Order

PHOTOGRAPH, STYLE = "pagoda", "flowing-brush"


def button(*, key: str, prominent: bool = True) -> bool:
    """Draw the button; True once its picture is in the queue, a message below it where that failed."""
    kind: Literal["primary", "secondary"] = "primary" if prominent else "secondary"
    if not st.button("Paint one from samples", type=kind, icon=":material/brush:", key=key):
        return False
    try:
        # nobody who tries a sample has asked for a download: VGG19 only where it was named
        network = weights.choose(service.network_choice(), BUILTIN)
        order = Order(take(PHOTOGRAPH), (take(STYLE),), preset(DEFAULT_PRESET), network=network)
        service.jobs().submit(order)
    except NSTError as error:
        st.error(plain(str(error)))
        return False
    return True
