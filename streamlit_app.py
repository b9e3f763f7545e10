"""What `streamlit run` starts: the pages, behind nst/dashboard/router.py, and the gallery's pictures as files."""

import streamlit as st

from nst.dashboard import files

app = st.App("nst/dashboard/router.py", routes=files.ROUTES, middleware=files.MIDDLEWARE)
