"""The Studio page: choose a photograph and styles, paint, watch."""

import streamlit as st

from nst.dashboard import orders, progress

st.title("Studio", anchor=False)

choose, watch = st.columns([5, 7], gap="large")

with choose:
    content = orders.choose_photograph()
    styles = orders.choose_styles()
    settings = orders.choose_settings(styles=len(styles))
    orders.paint_button(content, styles, settings)

with watch:
    progress.panel()
