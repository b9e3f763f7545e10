"""The Streamlit pages: the only place of the package that imports streamlit."""

import sys
from pathlib import Path

# Streamlit puts the router's folder into sys.path for each run of a page and takes it out again. A thread that is
# importing at that moment (the painter, loading TensorFlow) skips an entry of the list and finds a module missing.
# With the folder there for good, last so that no page's name hides a package, the list stays as it is.
PAGES = str(Path(__file__).parent)
if PAGES not in sys.path:
    sys.path.append(PAGES)
