"""One button that makes a first picture, for somebody who has none at hand: two samples and the default preset."""

from __future__ import annotations

import streamlit as st

from nst import weights
from nst.config import DEFAULT_PRESET, preset
from nst.dashboard import service
from nst.dashboard.orders import sample_input
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.jobs import Order

PHOTOGRAPH, STYLE = "pagoda", "flowing-brush"


def button(*, key: str) -> bool:
    """Draw the button; True once its picture is in the queue, a message below it where that failed."""
    if not st.button("Paint one from samples", type="primary", icon=":material/brush:", key=key):
        return False
    try:
        order = Order(sample_input(PHOTOGRAPH), (sample_input(STYLE),), preset(DEFAULT_PRESET), network=_network())
        service.jobs().submit(order)
    except NSTError as error:
        st.error(plain(str(error)))
        return False
    return True


def _network() -> str | None:
    """The network in use if it is on this computer: nobody who tries a sample has asked for a download."""
    chosen = service.network_choice()
    return chosen if weights.describe(chosen).ready else weights.BUILTIN
