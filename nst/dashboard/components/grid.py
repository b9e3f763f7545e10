"""A page of cards: thumbnails that open, stars to toggle, boxes to select. One component, so that a page of results
costs one message and nothing is drawn anew but what has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_GRID = st.components.v2.component(
    "nst_grid",
    html='<ul role="list"\n></ul>',
    css=(_HERE / "grid.css").read_text(encoding="utf-8"),
    js=(_HERE / "grid.js").read_text(encoding="utf-8"),
)
_HEARD = "grid_heard"


@dataclass(frozen=True)
class Card:
    """What a card shows. All text is shown as typed."""

    id: str
    name: str
    caption: str
    src: str
    """Address of the thumbnail."""
    width: int
    height: int
    """Of the picture, pixels: only their ratio counts."""
    href: str | None = None
    """Where a click leads; None where there is nothing to open."""
    starred: bool = False
    rating: int = 0
    """1 to 5; 0 where there is none."""


def grid(
    cards: Sequence[Card],
    *,
    key: str,
    picked: Collection[str] = (),
    selecting: bool = False,
    stars: bool = True,
    on_open: Callable[[str], None] | None = None,
    on_star: Callable[[Mapping[str, bool]], None] | None = None,
    on_pick: Callable[[Sequence[str], Sequence[str]], None] | None = None,
    address: str | None = None,
) -> None:
    """Draw cards. The callbacks run before the page does.

    `on_open` is given an id; `on_star` ids and whether each is to have a star; `on_pick` the ids shown and those of
    them that are selected. `address` are parameters to stand in the address bar for those of a result, which the
    browser's Back has left there. What a browser sends is checked for its kind only: the ids may be any text.
    """
    _GRID(
        key=key,
        data={
            "cards": [asdict(card) | {"picked": card.id in picked} for card in cards],
            "selecting": selecting,
            "stars": stars,
            "heard": st.session_state.get(_HEARD, 0),
            "address": address,
        },
        on_open_change=lambda: _opened(key, on_open),
        on_star_change=lambda: _starred(key, on_star),
        on_pick_change=lambda: _picked(key, on_pick),
    )


def _opened(key: str, act: Callable[[str], None] | None) -> None:
    entry_id = st.session_state[key].get("open")
    if act and isinstance(entry_id, str):
        act(entry_id)


def _starred(key: str, act: Callable[[Mapping[str, bool]], None] | None) -> None:
    message = _message(st.session_state[key].get("star"))
    stars = message.get("stars")
    if act and isinstance(stars, dict):
        act({entry_id: bool(on) for entry_id, on in stars.items()})


def _picked(key: str, act: Callable[[Sequence[str], Sequence[str]], None] | None) -> None:
    message = _message(st.session_state[key].get("pick"))
    if act and message:
        act(_ids(message.get("shown")), _ids(message.get("picked")))


def _message(sent: Any) -> dict[str, Any]:
    """What the browser sent; the page tells it next how far it has listened, so that nothing jumps back meanwhile."""
    if not isinstance(sent, dict) or not isinstance(sent.get("said"), int):
        return {}
    st.session_state[_HEARD] = max(sent["said"], st.session_state.get(_HEARD, 0))
    return sent


def _ids(sent: Any) -> list[str]:
    return [item for item in sent if isinstance(item, str)] if isinstance(sent, list) else []
