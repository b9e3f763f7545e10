"""What holds for the whole dashboard."""

import subprocess
import sys

import streamlit as st
from streamlit.runtime.scriptrunner.exec_code import modified_sys_path
from streamlit.testing.v1 import AppTest

from nst import dashboard
from tests.dashboard.pages import PROJECT, ROUTER, said
from tests.test_gallery import add

IMPORTS = """
import sys
from streamlit.testing.v1 import AppTest
at = AppTest.from_file(sys.argv[1], default_timeout=60).run()
for name in ("gallery", "settings", "result"):
    if name == "result":
        at.switch_page(f"{name}.py")
        at.query_params["id"] = sys.argv[2]
        at.run()
        assert at.title[0].value == "one", at.title
    else:
        at.switch_page(f"{name}.py").run()
    assert not at.exception
sys.exit(50 * any(name in sys.modules for name in ("tensorflow", "keras")))
"""


def test_looking_at_pages_does_not_load_tensorflow(gallery):
    entry = add(gallery, "one")
    add(gallery, "two")
    command = [sys.executable, "-c", IMPORTS, ROUTER, entry.id]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_a_gallery_that_can_not_be_opened_is_told_in_words(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NST_GALLERY", str(tmp_path / "file"))
    st.cache_resource.clear()
    at = AppTest.from_file(ROUTER, default_timeout=60).run()
    st.cache_resource.clear()
    assert not at.exception
    assert "can't be opened" in said(at)


def test_running_a_page_leaves_the_module_search_path_alone():
    """A change of it in the middle of an import elsewhere makes a module look missing: a job once failed so."""
    before = list(sys.path)
    with modified_sys_path(ROUTER):
        assert sys.path == before
    assert sys.path == before
    assert sys.path[0] != dashboard.PAGES  # where its names would hide packages
