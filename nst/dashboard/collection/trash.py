"""The Gallery's trash: the notice with Undo after a deletion, and the page of what can still be had back."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from nst.dashboard import service
from nst.dashboard.collection.filters import touch
from nst.dashboard.collection.told import refused, tell, warn
from nst.dashboard.components.grid import Card, grid
from nst.dashboard.parts import counted, plain
from nst.errors import GalleryError
from nst.gallery import RETENTION_DAYS, Trashed

UNDO = "undo"
"""In the session: the ids that were deleted last, by any page."""
VIEW, TRASH = "view", "trash"
"""The parameter of the address, and its value, that show the trash."""
PER_PAGE = 24
THUMBNAIL = 320
_PICKED = "trash_picked"


def move(ids: Sequence[str]) -> None:
    """Delete results, and offer to undo that."""
    try:
        done = service.gallery().delete_many(ids)
    except GalleryError as error:
        return warn(str(error))
    st.session_state[UNDO] = list(done.moved)
    refused("stay where they are" if len(done.refused) > 1 else "stays where it is", done.refused)


def notice() -> None:
    """What was deleted last, and the way back."""
    ids = st.session_state.get(UNDO)
    if not isinstance(ids, list) or not ids:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="xsmall", key="undo_notice"):
        st.markdown(f":material/delete: {len(ids)} moved to the trash.", width="content")
        st.button("Undo", icon=":material/undo:", key="undo_button", on_click=_undo, args=(ids,))
        st.space("stretch")
        st.button(":material/close:", type="tertiary", help="Close", key="undo_close", on_click=_forget)


def _forget() -> None:
    touch()
    st.session_state.pop(UNDO, None)


def _undo(ids: Sequence[str]) -> None:
    _forget()
    _restore(ids)


def _restore(ids: Sequence[str]) -> None:
    try:
        done = service.gallery().restore(ids)
    except GalleryError as error:
        return warn(str(error))
    st.session_state[UNDO] = [entry_id for entry_id in st.session_state.get(UNDO, ()) if entry_id not in done.restored]
    if done.restored:
        tell(f"{counted(len(done.restored))} restored.")
    refused("could not be restored", done.refused)


def show(trashed: Sequence[Trashed]) -> None:
    """The page of the trash."""
    if not trashed:
        st.info("The trash is empty.", icon=":material/delete:")
        return
    st.caption(
        f"What is deleted is kept here for {RETENTION_DAYS} days, then removed for good. "
        "The pictures it was made from stay."
    )
    picked = [entry.id for entry in trashed if entry.id in st.session_state.get(_PICKED, ())]
    _toolbar(picked, [entry.id for entry in trashed])
    pages = -(-len(trashed) // PER_PAGE)
    slot = st.container()
    number = min(st.pagination(pages, key="trash_page"), pages) if pages > 1 else 1
    with slot:
        cards = [_card(entry) for entry in trashed[(number - 1) * PER_PAGE : number * PER_PAGE]]
        grid(cards, key="trash_grid", picked=picked, selecting=True, stars=False, on_pick=_pick)


def _toolbar(picked: Sequence[str], ids: Sequence[str]) -> None:
    chosen = list(picked)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(picked)}** of {counted(len(ids))} selected", width="content")
        st.button("All", key="trash_all", on_click=_select, args=(list(ids),))
        st.button("None", key="trash_none", on_click=_select, args=([],), disabled=not picked)
        st.space("stretch")
        st.button(
            "Restore",
            icon=":material/restore_from_trash:",
            key="restore",
            disabled=not picked,
            on_click=_restore,
            args=(chosen,),
        )
        with st.popover("Delete for good", icon=":material/delete_forever:", disabled=not picked, key="purge"):
            st.markdown("This can't be undone.")
            label = f"Delete {counted(len(picked))} for good"
            st.button(label, type="primary", key="purge_confirmed", on_click=_purge, args=(chosen,))


def _select(ids: Sequence[str]) -> None:
    st.session_state[_PICKED] = ids


def _pick(shown: Sequence[str], picked: Sequence[str]) -> None:
    others = [entry_id for entry_id in st.session_state.get(_PICKED, ()) if entry_id not in shown]
    st.session_state[_PICKED] = [*others, *picked]


def _purge(ids: Sequence[str]) -> None:
    try:
        service.gallery().purge(ids)
    except GalleryError as error:
        return warn(str(error))
    _forget()  # some of them can't be had back any more
    tell(f"{counted(len(ids))} deleted for good.")


def _card(entry: Trashed) -> Card:
    days = math.ceil((entry.expires - datetime.now(UTC)) / timedelta(days=1))
    left = "Goes within a day" if days <= 1 else f"{days} days left"
    return Card(entry.id, entry.name, left, _src(entry), 4, 3)


def _src(entry: Trashed) -> str:
    """The thumbnail in the address itself: what is deleted has no address of its own any more."""
    try:
        data = entry.thumbnail.read_bytes()
    except OSError:
        return "data:,"
    kind = "image/webp" if entry.thumbnail.suffix == ".webp" else "image/jpeg"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def link(number: int) -> None:
    """The way to the trash, told how much is in it."""
    st.button(plain(f"Trash ({number})"), icon=":material/delete:", type="tertiary", key="to_trash", on_click=_go)


def _go() -> None:
    st.query_params.from_dict({VIEW: TRASH})


def way_back() -> None:
    """From the trash to the results."""
    st.button("Gallery", icon=":material/arrow_back:", type="tertiary", key="leave_trash", on_click=_leave)


def _leave() -> None:
    st.session_state.pop(_PICKED, None)
    st.query_params.clear()
