"""A real server process and a real browser for the end-to-end tests; they stop with the last test that needs them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 120_000
"""Milliseconds: the first job of a server loads TensorFlow, which takes a minute on a busy machine."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the page, and what its servers said: a page only tells that the details are in the terminal."""
    report = yield
    if report.failed:
        if page := item.funcargs.get("page"):
            report.sections.append(("The page", seen(page)))
        report.sections += [(f"End of {server.log}", server.said()) for server in Server.started]
    return report


def seen(page) -> str:
    """What a page says, as a screen reader has it."""
    try:
        return f"{page.url}\n{page.locator('body').aria_snapshot(timeout=5_000)}"
    except Exception as error:  # closed by its test, say: not what the report is about
        return f"Not to be had: {error}"


class Server:
    """The dashboard as `make app` starts it, on a free port, with a gallery and a Keras cache of its own."""

    started: ClassVar[list[Server]] = []
    """The servers whose fixture is in use, killed ones too."""

    def __init__(self, folder: Path) -> None:
        self.gallery = folder / "gallery"
        self.log = folder / "server.log"
        self.environment = os.environ | {
            "NST_GALLERY": str(self.gallery),
            "KERAS_HOME": str(folder / "keras"),
            "NST_OFFLINE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.environment.pop("NST_VGG19_WEIGHTS", None)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Server]:
        """A server that has gone, however many times it was started, when the block ends."""
        server = cls(folder)
        cls.started.append(server)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGKILL)
            cls.started.remove(server)

    def start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(self.port)],
            cwd=ROOT,
            env=self.environment,
            stdout=self.log.open("a"),
            stderr=subprocess.STDOUT,
        )
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1).read()
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise TimeoutError(self.log.read_text())

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def said(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-60:]) if self.log.exists() else ""


@pytest.fixture
def server(tmp_path):
    """The test's own, which it may kill."""
    with Server.running(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def common_server(tmp_path_factory):
    """For tests that paint nothing and don't mind what others leave in the gallery: a start takes seconds."""
    with Server.running(tmp_path_factory.mktemp("common")) as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1360, "height": 960}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def shot():
    """Takes a screenshot of a page into $NST_SCREENSHOTS, as for the README; where that is unset, takes none."""
    folder = os.environ.get("NST_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)

    def take(page, name: str) -> None:
        if not folder:
            return
        page.wait_for_timeout(700)  # let charts and pictures settle
        page.screenshot(path=Path(folder, f"{name}.jpg"), type="jpeg", quality=85)

    return take
