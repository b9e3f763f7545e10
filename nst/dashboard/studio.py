"""The Studio page: choose a photograph and styles, paint, watch."""

import streamlit as st

from nst.dashboard.order import chosen, dropped, orders, painting, recall, sources
from nst.dashboard.parts import plain
from nst.dashboard.watch import progress

recall.take_up()
missing = chosen.drop_missing()

top = st.container(horizontal=True, vertical_alignment="center", gap="medium")
with top:
    st.title("Studio", anchor=False, width="content")
choose, watch = st.columns([5, 7], gap="large")

with choose:
    recall.tell()
    for picture in missing:
        st.warning(plain(f"{picture.label} is no longer in the gallery. Choose it again."))
    sources.choose_photograph()
    dropped.draw()
    sources.choose_styles()
    base = painting.choose_base()
    changes = painting.choose_settings(base, chosen.get().styles)
    action = st.container()
    settings = painting.choose_expert(base, changes)
    with action:  # above the expert options, where most people stop reading
        orders.actions(base, settings)

with top:  # after the button, which may just have ordered something
    progress.shortcut()
with watch:
    progress.panel()
