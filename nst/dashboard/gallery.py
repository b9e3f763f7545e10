"""The Gallery page: every result, newest first, to search and filter. TensorFlow is not loaded for it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from nst.dashboard import first, service
from nst.dashboard.parts import picture, plain, preset_title
from nst.gallery import Entry

PER_PAGE = 24
ANY = "any"


def card(entry: Entry) -> None:
    """A result's thumbnail, its name and the way to its page."""
    with st.container(border=True, gap="small", height="stretch"):
        picture(entry.thumbnail_path.read_bytes, alt="The result")
        st.text(entry.name)
        st.caption(plain(f"{preset_title(entry.preset)} · {entry.width} × {entry.height} · {entry.created[:10]}"))
        st.space("stretch")
        if st.button("Open", key=f"open_{entry.id}", icon=":material/open_in_full:", width="stretch"):
            st.switch_page("result.py", query_params={"id": entry.id})


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


st.title("Gallery", anchor=False)
gallery = service.gallery()
for notice in gallery.notices:
    st.warning(plain(notice))
presets, styles = gallery.presets(), gallery.styles()
if not presets:
    invite()
    st.stop()  # there is nothing to search or filter

with st.container(horizontal=True, vertical_alignment="bottom"):
    text = st.text_input("Search", placeholder="Name of the result or of a picture", key="q", bind="query-params")
    preset = st.selectbox(
        "Preset",
        [ANY, *presets],
        key="preset_filter",
        format_func=lambda name: "Any preset" if name == ANY else f"{preset_title(name)} ({presets[name]})",
    )
    style = st.selectbox(
        "Style",
        [ANY, *styles],
        key="style_filter",
        format_func=lambda sha: "Any style" if sha == ANY else f"{styles[sha].label} ({styles[sha].count})",
    )

slot = st.container()  # before the pages' numbers, though drawn after them
matching = partial(
    gallery.query, text=text, preset=None if preset == ANY else preset, style=None if style == ANY else style
)
total = matching(limit=0).total
pages = max(1, -(-total // PER_PAGE))
number = st.pagination(pages, key="page") if pages > 1 else 1

with slot:
    if not total:
        st.info("No result matches. Clear the search or the filters to see all of them.", icon=":material/search_off:")
    else:
        st.caption(f"{total} result{'s' if total > 1 else ''}")
        with st.grid("auto", min_column_width=220):
            for entry in matching(limit=PER_PAGE, offset=(number - 1) * PER_PAGE).entries:
                card(entry)
