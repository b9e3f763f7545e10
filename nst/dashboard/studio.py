"""The Studio page: choose a photograph and styles, paint, watch."""

import streamlit as st

from nst.dashboard import orders, progress

st.title("Studio", anchor=False)

choose, watch = st.columns([5, 7], gap="large")

with choose:
    content = orders.choose_photograph()
    styles = orders.choose_styles()
    chosen = orders.choose_settings(styles=len(styles))
    action = st.container()
    settings = orders.choose_expert(chosen)
    with action:  # above the expert options, where most people stop reading
        orders.paint_button(content, styles, settings)

with watch:
    progress.panel()
