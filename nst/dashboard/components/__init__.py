"""Pieces of a page that Streamlit has not: each a Python function over a little script and style of its own."""
