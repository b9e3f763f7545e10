"""The dashboard's router: page settings, navigation, run. `streamlit_app.py` starts it."""

import streamlit as st

from nst.dashboard.parts import plain
from nst.errors import NSTError

st.set_page_config(page_title="Style studio", page_icon=":material/brush:", layout="wide")

page = st.navigation(
    [
        st.Page("studio.py", title="Studio", icon=":material/brush:", default=True),
        st.Page("gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("settings.py", title="Settings", icon=":material/tune:"),
        st.Page("result.py", title="Result", url_path="result", visibility="hidden"),
    ],
    position="top",
)
try:
    page.run()
except NSTError as error:  # such as a gallery whose disk takes no more
    st.error(plain(str(error)))
