"""The Gallery's select mode: what is selected, and what can be done with all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from nst.dashboard import service
from nst.dashboard.collection import exporting, trash
from nst.dashboard.collection.filters import touch
from nst.dashboard.collection.told import refused, tell, warn
from nst.dashboard.collection.view import View
from nst.dashboard.parts import counted
from nst.errors import NSTError
from nst.gallery import Entry
from nst.gallery.query import Facets

COMPARE_PAGE = "compare.py"
COMPARED = range(2, 5)
SELECTING = "selecting"
_PICKED = "picked"
_COMPARE = "compare_ids"


def picked() -> list[str]:
    """The selected ids, in the order they were selected in."""
    return list(st.session_state.get(_PICKED, ()))


def switch() -> bool:
    """The switch of the mode; whether it is on."""
    return st.toggle("Select", key=SELECTING, on_change=_none)


def pick(shown: Sequence[str], chosen: Sequence[str]) -> None:
    """Take over what was selected of the ids shown; what other pages of the list have stays."""
    touch()
    exporting.forget()
    kept = [entry_id for entry_id in picked() if entry_id not in shown or entry_id in chosen]
    st.session_state[_PICKED] = [*kept, *(entry_id for entry_id in chosen if entry_id not in kept)]


def star(stars: Mapping[str, bool]) -> None:
    """Give stars and take them."""
    touch()
    try:
        for entry_id, on in stars.items():
            service.gallery().annotate(entry_id, starred=on)
    except NSTError as error:
        warn(str(error))


def compare_wanted() -> list[str]:
    """The ids to go and compare, once."""
    return list(st.session_state.pop(_COMPARE, ()))


def toolbar(view: View, shown: Sequence[str], total: int, facets: Facets) -> None:
    """How many are selected, and the actions."""
    ids = picked()
    with st.container(
        border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="selection"
    ):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            st.markdown(f"**{len(ids)}** selected", width="content")
            st.button("This page", key="pick_page", on_click=pick, args=((), list(shown)), disabled=not shown)
            st.button(f"All {total}", key="pick_all", on_click=_all, args=(view,), disabled=not total)
            st.button("None", key="pick_none", on_click=_none, disabled=not ids)
        with st.container(horizontal=True, gap="small", width="content"):
            _actions(ids, facets)
    exporting.notice()


def _actions(ids: Sequence[str], facets: Facets) -> None:
    none = not ids
    st.button("Star", icon=":material/star:", key="star", on_click=_star_all, args=(ids, True), disabled=none)
    st.button("Unstar", key="unstar", on_click=_star_all, args=(ids, False), disabled=none)
    with st.popover("Tag", icon=":material/label:", disabled=none, key="tags"):
        _tags(ids, facets)
    st.button(
        "Compare",
        icon=":material/compare:",
        key="compare",
        help="Select two to four.",
        disabled=len(ids) not in COMPARED,
        on_click=_compare,
        args=(ids,),
    )
    exporting.button(ids)
    st.button("Delete", icon=":material/delete:", key="delete", on_click=_delete, args=(ids,), disabled=none)


def _tags(ids: Sequence[str], facets: Facets) -> None:
    tag = st.selectbox(
        "Tag", list(facets.tags), index=None, placeholder="Choose or type", accept_new_options=True, key="tag_chosen"
    )
    with st.container(horizontal=True):
        st.button("Add", key="tag_add", type="primary", disabled=not tag, on_click=_tag, args=(ids, tag, True))
        st.button("Remove", key="tag_remove", disabled=not tag, on_click=_tag, args=(ids, tag, False))


def _all(view: View) -> None:
    touch()
    exporting.forget()
    try:
        st.session_state[_PICKED] = service.gallery().ids(order=view.order, **view.filters())
    except NSTError as error:
        warn(str(error))


def _none() -> None:
    touch()
    exporting.forget()
    st.session_state[_PICKED] = []


def _star_all(ids: Sequence[str], on: bool) -> None:
    done = _each(ids, lambda entry: service.gallery().annotate(entry.id, starred=on))
    if done:
        tell(f"{counted(done)} {'starred' if on else 'unstarred'}.")


def _tag(ids: Sequence[str], tag: str, on: bool) -> None:
    def change(entry: Entry) -> None:
        others = [other for other in entry.tags if other.casefold() != tag.casefold()]
        service.gallery().annotate(entry.id, tags=[*others, tag] if on else others)

    if done := _each(ids, change):
        tell(f"Tag {'added to' if on else 'removed from'} {counted(done)}.")


def _each(ids: Sequence[str], change: Callable[[Entry], object]) -> int:
    """Do something with every result; how many it was done with. What could not be done is told."""
    touch()
    reasons = {}
    for entry_id in ids:
        try:
            change(service.gallery().get(entry_id))
        except NSTError as error:
            reasons[entry_id] = str(error)
    refused("could not be changed", reasons)
    return len(ids) - len(reasons)


def _compare(ids: Sequence[str]) -> None:
    st.session_state[_COMPARE] = list(ids)


def _delete(ids: Sequence[str]) -> None:
    touch()
    trash.move(ids)
    gone = set(st.session_state.get(trash.UNDO, ()))
    st.session_state[_PICKED] = [entry_id for entry_id in ids if entry_id not in gone]
