"""Small cards with a picture each, to be pressed: by mouse, touch, or keyboard.

Titles reach the browser as data and are set as text, so nothing that a user typed is ever markup.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st


@dataclass(frozen=True)
class Card:
    """A card of the shelf."""

    id: str
    title: str
    picture: bytes
    """A small JPEG."""
    pressed: bool
    note: str = ""
    """A word below the title."""


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


_CARDS = st.components.v2.component("nst.cards", html="<ul>\n</ul>", css=_text("cards.css"), js=_text("cards.js"))


def cards(label: str, shown: Sequence[Card], *, key: str) -> None:
    """Draw the cards; what is pressed is taken up by `settle`."""
    data = {"label": label, "cards": [_told(card) for card in shown], "heard": st.session_state.get(_heard(key), 0)}
    _CARDS(key=key, data=data, on_picked_change=partial(_note, key))


def settle(key: str, pick: Callable[[str], None]) -> None:
    """Call `pick` with the id of each card that was pressed, in order; to be done before the cards are drawn anew.

    Not in a callback, since the next click cuts a slow one short. The ids come from the browser: they may be anything.
    """
    while waiting := st.session_state.get(_waiting(key)):
        pick(waiting[0])
        st.session_state[_waiting(key)] = waiting[1:]


def _note(key: str) -> None:
    for press in _presses(st.session_state[key].get("picked")):
        if press.number > st.session_state.get(_heard(key), 0):
            st.session_state[_waiting(key)] = [*st.session_state.get(_waiting(key), []), press.id]
            st.session_state[_heard(key)] = press.number


def _heard(key: str) -> str:
    return f"{key}_heard"


def _waiting(key: str) -> str:
    return f"{key}_waiting"


class _Press(NamedTuple):
    number: int
    id: str


def _presses(told: Any) -> list[_Press]:
    """What the browser says was pressed, in order; what makes no sense is left out."""
    found = [item for item in told if isinstance(item, dict)] if isinstance(told, list) else []
    presses = [_Press(item.get("number", 0), item.get("id", "")) for item in found]
    return [press for press in presses if isinstance(press.number, int) and isinstance(press.id, str)]


def _told(card: Card) -> dict[str, Any]:
    picture = f"data:image/jpeg;base64,{base64.b64encode(card.picture).decode()}"
    return {"id": card.id, "title": card.title, "note": card.note, "picture": picture, "pressed": card.pressed}
