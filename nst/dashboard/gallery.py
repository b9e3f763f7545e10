"""The Gallery page: every result, to search, filter, open, and to work on many at once. TensorFlow is not loaded."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from nst.dashboard import first, service
from nst.dashboard.collection import filters, importing, selection, told, trash
from nst.dashboard.collection.view import View
from nst.dashboard.components.grid import Card, grid
from nst.dashboard.parts import plain, preset_title, tab_title
from nst.gallery import Entry, Page
from nst.gallery.query import Facets

PER_PAGE = 24
OPENED = "gallery_opened"


def card(entry: Entry) -> Card:
    """A result as the grid shows it."""
    return Card(
        id=entry.id,
        name=entry.name,
        caption=f"{preset_title(entry.preset)} · {entry.width} × {entry.height} · {entry.created[:10]}",
        src=f"/files/thumbnail/{entry.id}",
        width=entry.width,
        height=entry.height,
        href=f"/result?id={entry.id}",
        starred=entry.starred,
        rating=entry.rating,
    )


def invite() -> None:
    """What an empty gallery shows: the way to a first picture."""
    with st.container(border=True, height=320, horizontal_alignment="center", vertical_alignment="center"):
        st.subheader("Nothing here yet", anchor=False, text_alignment="center")
        st.caption("Every picture you paint is kept here with all its settings.", text_alignment="center")
        if any(job.state.active for job in service.jobs().snapshots()):
            st.page_link("studio.py", label="One is being painted: watch it in the Studio")
        else:
            if first.button(key="first"):
                st.switch_page("studio.py")
            st.page_link("studio.py", label="Paint one of your own")


def found(view: View) -> tuple[View, Page]:
    """What matches, at the view's page or the last there is."""
    query = service.gallery().query
    page = query(**view.filters(), order=view.order, limit=PER_PAGE, offset=(view.page - 1) * PER_PAGE)
    last = max(1, -(-page.total // PER_PAGE))
    if view.page <= last:
        return view, page
    view = replace(view, page=last)
    filters.turn_to(last)
    return view, query(**view.filters(), order=view.order, limit=PER_PAGE, offset=(last - 1) * PER_PAGE)


def opened(entry_id: str) -> None:
    st.session_state[OPENED] = entry_id


def results(facets: Facets, everything: int) -> None:
    """Search, filters, and a page of what they find."""
    back = filters.come_back()
    view = filters.draw(facets)
    view, page = found(view)
    with st.container(horizontal=True, vertical_alignment="center"):
        filters.summary(view, facets, total=page.total, everything=everything)
        selecting = selection.switch()
    if selecting:
        selection.toolbar(view, [entry.id for entry in page.entries], page.total, facets)
    if not page.total:
        st.info("No result matches. Clear the search or the filters to see all of them.", icon=":material/search_off:")
    grid(
        [card(entry) for entry in page.entries],
        key="grid",
        picked=selection.picked(),
        selecting=selecting,
        on_open=opened,
        on_star=selection.star,
        on_pick=selection.pick,
        address=back,
    )
    filters.pager(view, -(-page.total // PER_PAGE))
    filters.settle(view, leave=back is not None)


if entry_id := st.session_state.pop(OPENED, None):
    st.switch_page("result.py", query_params={"id": entry_id})
if ids := selection.compare_wanted():
    st.switch_page(selection.COMPARE_PAGE, query_params={"ids": ",".join(ids)})

gallery = service.gallery()
trashed = gallery.trashed()
in_trash = st.query_params.get(trash.VIEW) == trash.TRASH
tab_title("Trash" if in_trash else "Gallery")
with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Trash" if in_trash else "Gallery", anchor=False, width="stretch")
    if in_trash:
        trash.way_back()
    else:
        importing.popover()
        if trashed:
            trash.link(len(trashed))
for text in gallery.notices:
    st.warning(plain(text))
told.show()
trash.notice()
if in_trash:
    trash.show(trashed)
else:
    facets = gallery.facets()
    everything = sum(use.count for use in facets.presets.values())
    if everything:
        results(facets, everything)
    else:
        invite()
