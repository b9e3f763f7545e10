"""The shelf: styles that were uploaded once, to be taken again, named and put away."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from nst.dashboard import service
from nst.dashboard.components.cards import Card, cards, settle
from nst.dashboard.order import chosen
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.gallery import Input, ShelfStyle

KEY, TOLD = "style_shelf", "shelf_told"


def take_up(pick: Callable[[Input], None]) -> None:
    """Call `pick` with each style that was pressed."""
    known = {style.picture.sha256: style.picture for style in service.gallery().shelf()}
    settle(KEY, lambda sha256: pick(known[sha256]) if sha256 in known else None)


def draw() -> None:
    """Draw the shelf's styles as cards to press."""
    styles = service.gallery().shelf()
    if not styles:
        st.caption("Styles that you upload stay here, to be taken again.")
        return
    cards("Styles on the shelf", [card for style in styles if (card := _card(style))], key=KEY)
    _manage(styles)


def _card(style: ShelfStyle) -> Card | None:
    try:
        small = service.gallery().input_thumbnail(style.picture)
    except NSTError as error:
        st.caption(f":material/broken_image: {plain(style.name)}: {plain(str(error))}")
        return None
    return Card(style.picture.sha256, style.name, small, chosen.has_style(style.picture), _ready(style.ready))


def _ready(sizes: tuple[int, ...]) -> str:
    """At which sizes the style's targets are in the cache."""
    return f"ready at {', '.join(map(str, sizes))} px" if sizes else ""


def _manage(styles: list[ShelfStyle]) -> None:
    with st.popover("Rename or remove", type="tertiary", icon=":material/edit:"):
        names = {style.picture.sha256: style.name for style in styles}
        sha256 = st.selectbox("Style", list(names), format_func=names.__getitem__, key="shelf_style")
        st.text_input("Name", names[sha256], key=f"shelf_name_{sha256[:12]}", on_change=_rename, args=(sha256,))
        st.button("Remove from the shelf", icon=":material/delete:", on_click=_unshelve, args=(sha256,), key="unshelve")
        st.caption("Results that were made with it keep it.")
    if told := st.session_state.pop(TOLD, None):
        st.error(plain(told))


def _rename(sha256: str) -> None:
    try:
        service.gallery().rename_style(sha256, st.session_state[f"shelf_name_{sha256[:12]}"])
    except NSTError as error:
        st.session_state[TOLD] = str(error)


def _unshelve(sha256: str) -> None:
    try:
        service.gallery().unshelve(sha256)
    except NSTError as error:
        st.session_state[TOLD] = str(error)
