"""The Streamlit pages: the only place of the package that imports streamlit."""
