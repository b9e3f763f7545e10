"""Pictures to compare: two under a slider, or several side by side with one zoom; named by address, never encoded here.

Names and addresses reach the browser as data and are set as text, so nothing that a user typed is ever markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st


@dataclass(frozen=True)
class Shown:
    """A picture of the viewer."""

    src: str
    """Its address on this server."""
    alt: str
    """What it shows, for those who do not see it."""
    label: str = ""
    """A word on the picture, or the line below it."""


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_SLIDER = st.components.v2.component(
    "nst.before_after", html=_text("before_after.html"), css=_text("viewer.css"), js=_text("before_after.js")
)
_PANES = st.components.v2.component(
    "nst.side_by_side", html=_text("side_by_side.html"), css=_text("viewer.css"), js=_text("side_by_side.js")
)


def before_after(before: Shown, after: Shown, *, width: int, height: int, key: str) -> None:
    """Two pictures of one motif, parted by a slider: by mouse, touch, or keyboard.

    Both fill the same place, whose form `width` and `height` (of any unit) give before a picture has arrived.
    """
    _SLIDER(key=key, data={"before": asdict(before), "after": asdict(after), "width": width, "height": height})


def single(picture: Shown, *, width: int, height: int, key: str) -> None:
    """One picture in the same place as `before_after` would show it, without a slider."""
    _SLIDER(key=key, data={"before": None, "after": asdict(picture), "width": width, "height": height})


def side_by_side(pictures: Sequence[Shown], *, width: int, height: int, key: str) -> None:
    """Two to four pictures with one zoom and pan for all: wheel or pinch, drag, the keys + - 0, double click.

    `width` and `height` give the form of each pane; a picture of another form is shown whole in it.
    """
    data = {"pictures": [asdict(picture) for picture in pictures], "width": width, "height": height}
    _PANES(key=key, data=data)
