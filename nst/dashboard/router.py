"""The dashboard's router: page settings, navigation, run. `streamlit_app.py` starts it."""

from pathlib import Path

import streamlit as st

from nst.dashboard.parts import TITLE, plain
from nst.errors import NSTError

# A file of ours: an icon by its name would be asked for at Google's.
ICON = Path(__file__).with_name("icon.svg")
st.set_page_config(page_title=TITLE, page_icon=str(ICON), layout="wide")

page = st.navigation(
    [
        st.Page("studio.py", title="Studio", icon=":material/brush:", default=True),
        st.Page("gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("stats.py", title="Statistics", icon=":material/monitoring:", url_path="statistics"),
        st.Page("settings.py", title="Settings", icon=":material/tune:"),
        st.Page("result.py", title="Result", url_path="result", visibility="hidden"),
        st.Page("compare.py", title="Compare", url_path="compare", visibility="hidden"),
    ],
    position="top",
)
if told := st.session_state.pop("told", None):  # by a page that went on to this one, where its own toast would be lost
    st.toast(plain(told), icon=":material/check:")
try:
    page.run()
except NSTError as error:  # such as a gallery whose disk takes no more
    st.error(plain(str(error)))
