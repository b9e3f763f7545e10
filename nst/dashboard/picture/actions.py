"""What can be done with a result: go on, make it again, take its settings, compare, delete."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from nst.dashboard import service
from nst.dashboard.parts import plain
from nst.errors import NSTError
from nst.gallery import Entry
from nst.jobs import MORE
from nst.result import Status

SIZES = (512, 768, 1024, 1536, 2048, 3072, 4096)
RECALLS = {"all": "Use all", "all but the seed": "All but the seed", "style": "Only the style"}
RECENT = 12
MENU_TEXT = 50
"""Characters of a name in a menu, which is as wide as its longest line."""
_STATELESS = "The state in which this run ended is no longer kept: it begins anew, from the picture."


def panel(entry: Entry) -> None:
    """The buttons."""
    with st.grid(2, min_column_width=130):
        _continue(entry)
        _again(entry)
        _compare(entry)
        _deleting(entry)


def _continue(entry: Entry) -> None:
    jobs = service.jobs()
    state = service.gallery().has_state(entry.id)
    stopped = state and entry.status is Status.CANCELLED
    finish = "Goes on to the end, as if it had not been stopped."
    if stopped and st.button("Finish it", icon=":material/resume:", key="finish", width="stretch", help=finish):
        _queue("the rest of it", lambda: jobs.finish(entry.id))
    told = None if state else _STATELESS
    if st.button(f"{MORE} more steps", icon=":material/add:", key="more", width="stretch", help=told):
        _queue(f"{MORE} more steps", lambda: jobs.more(entry.id))
    size = st.menu_button(
        "Larger",
        [size for size in SIZES if size > entry.settings.size],
        icon=":material/open_in_full:",
        format_func=lambda size: f"{size} px",
        key="larger",
        width="stretch",
        disabled=entry.settings.size >= SIZES[-1],
        help=told or "Paints on at this size, from this picture.",
    )
    if size:
        _queue(f"a larger one, of {size} px", lambda: jobs.larger(entry.id, size))


def _again(entry: Entry) -> None:
    if st.button(
        "Reproduce",
        icon=":material/verified:",
        key="reproduce",
        width="stretch",
        help="Paints it once more from its record and tells whether it comes out the same. Keeps no second result.",
    ):
        _queue("a reproduction", lambda: service.jobs().reproduce(entry.id))
    what = st.menu_button(
        "Use again",
        list(RECALLS),
        icon=":material/input:",
        format_func=RECALLS.__getitem__,
        key="recall_menu",
        width="stretch",
        help="Brings its pictures and settings back to the Studio.",
    )
    if what:
        st.session_state["recall"] = {"entry": entry.id, "what": what}
        st.switch_page("studio.py")


def _queue(what: str, order: Callable[[], str]) -> None:
    """Hand an order to the queue and go where it can be watched."""
    try:
        order()
    except NSTError as error:
        st.error(plain(str(error)))
        return
    st.session_state["told"] = f"In the queue: {what}."
    st.switch_page("studio.py")


def _compare(entry: Entry) -> None:
    recent = service.gallery().query(limit=RECENT).entries
    others = [other for other in recent if other.id != entry.id]
    if not others:
        return
    # results of the same pictures have the same name, and the menu wants each label once
    names = {other.id: f"{number}. {_short(other.name)}" for number, other in enumerate(others, start=1)}
    chosen = st.menu_button(
        "Compare",
        list(names),
        icon=":material/compare:",
        format_func=lambda other: plain(names.get(other, "a deleted result")),
        key="compare",
        width="stretch",
        help="With a recent result, the newest first. In the gallery, up to four can be chosen.",
    )
    if chosen:
        st.switch_page("compare.py", query_params={"ids": f"{entry.id},{chosen}"})


def _short(name: str) -> str:
    """A name that a menu has room for."""
    return name if len(name) <= MENU_TEXT else f"{name[: MENU_TEXT - 1].rstrip()}…"


def _deleting(entry: Entry) -> None:
    """The button; what is starred takes a second one."""
    if entry.starred:
        with st.popover("Delete", icon=":material/delete:", key="delete_starred", width="stretch"):
            st.markdown("This result is starred. It can be had back from the trash.")
            sure = st.button("Delete it all the same", type="primary", key="delete")
    else:
        sure = st.button("Delete", icon=":material/delete:", key="delete", width="stretch", help="It can be undone.")
    if sure:
        _delete(entry)


def _delete(entry: Entry) -> None:
    try:
        service.gallery().delete(entry.id)
    except NSTError as error:
        st.error(plain(str(error)))
        return
    st.session_state["undo"] = [entry.id]
    st.switch_page("gallery.py")
