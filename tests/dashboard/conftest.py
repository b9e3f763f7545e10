"""Fixtures of the tests of the pages with AppTest. Jobs run only where a test says so, on a narrow network."""

import contextlib
import gc

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nst import weights
from nst.dashboard import service
from nst.gallery import Gallery
from nst.jobs import JobManager
from tests.dashboard.pages import ROUTER, shown


@pytest.fixture(scope="module", autouse=True)
def thaw():
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def freeze():
    """Streamlit collects garbage after every run of a page; with TensorFlow loaded that takes half a second."""
    gc.freeze()


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """The gallery that the pages open."""
    monkeypatch.setenv("NST_GALLERY", str(tmp_path / "gallery"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv(weights.ENV_OFFLINE, "1")
    monkeypatch.delenv(weights.ENV_WEIGHTS, raising=False)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield Gallery(tmp_path / "gallery")
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def jobs(gallery, monkeypatch, narrow):
    """The manager that the pages ask; it runs nothing before `run_pending`."""
    find = weights.find
    monkeypatch.setattr(weights, "find", lambda choice=None, **options: find(choice, **options) if choice else narrow)
    with contextlib.closing(JobManager(gallery, threaded=False)) as manager:
        monkeypatch.setattr(service, "jobs", lambda: manager)
        yield manager


@pytest.fixture
def studio(jobs):
    return shown(AppTest.from_file(ROUTER, default_timeout=30).run())
