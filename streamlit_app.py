"""The dashboard's router: page settings, navigation, run. The pages are in nst/dashboard/."""

import streamlit as st

from nst.dashboard.parts import plain
from nst.errors import NSTError

st.set_page_config(page_title="Style studio", page_icon=":material/brush:", layout="wide")

page = st.navigation(
    [
        st.Page("nst/dashboard/studio.py", title="Studio", icon=":material/brush:", default=True),
        st.Page("nst/dashboard/gallery.py", title="Gallery", icon=":material/photo_library:"),
        st.Page("nst/dashboard/settings.py", title="Settings", icon=":material/tune:"),
        st.Page("nst/dashboard/result.py", title="Result", url_path="result", visibility="hidden"),
    ],
    position="top",
)
try:
    page.run()
except NSTError as error:  # such as a gallery whose disk takes no more
    st.error(plain(str(error)))
