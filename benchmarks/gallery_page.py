"""How long the Gallery page takes with ten thousand results: its script alone, and seen from a browser.

python -m benchmarks.gallery_page [NUMBER]
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.common import ROOT, table, write
from benchmarks.gallery import NUMBER, fill
from nst.gallery import Gallery

ROUNDS = 9
ROUTER = ROOT / "nst" / "dashboard" / "router.py"
VISITS: dict[str, dict[str, str]] = {
    "newest": {},
    "page 200": {"page": "200"},
    "search": {"q": "harbour"},
    "three filters": {"preset": "studio", "starred": "yes", "rated": "3"},
    "by rating": {"order": "rating"},
}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUMBER
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"NST_GALLERY": folder, "NST_OFFLINE": "1"}
        gallery = Gallery(folder)
        fill(gallery, number)
        gallery.reconcile()
        figures = [_script(name, query) for name, query in VISITS.items()]
        seen = _browser() if CHROMIUM else {}
    table(tuple(figures[0]), [list(row.values()) for row in figures])
    table(("in a browser", "median_ms"), list(seen.items()))
    write("gallery_page", {"entries": number, "rounds": ROUNDS, "script": figures, "browser_ms": seen})


def _script(name: str, query: dict[str, str]) -> dict[str, Any]:
    """Milliseconds of a run of the page without a browser: queries, widgets, and the message with 24 cards."""
    from streamlit.testing.v1 import AppTest

    page = AppTest.from_file(str(ROUTER), default_timeout=60).run()
    page.switch_page("gallery.py")
    page.query_params.update(query)
    times, worked = zip(*(_timed(page.run) for _ in range(ROUNDS + 1)), strict=True)
    assert not page.exception
    assert page.get("bidi_component"), "no grid was drawn"
    return {
        "page": name,
        "first_ms": times[0],
        "median_ms": statistics.median(times[1:]),
        "worst_ms": max(times[1:]),
        "median_cpu_ms": statistics.median(worked[1:]),
    }


def _timed(run: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds on the clock and of the processor: the latter does not mind what else the machine does."""
    begun, worked = time.perf_counter(), time.process_time()
    run()
    return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - worked)


def _browser() -> dict[str, float]:
    """Milliseconds from a click until another page's cards are there, and until a search's are."""
    from playwright.sync_api import sync_playwright

    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1360, "height": 960})
        page.goto(f"{url}/gallery")
        page.locator("li.card").first.wait_for()
        turns = [_turned(page, "Next page") for _ in range(ROUNDS + 1)]
        back = [_turned(page, "Previous page") for _ in range(ROUNDS)]
        browser.close()
    return {"next page": statistics.median(turns[1:]), "previous page": statistics.median(back)}


def _turned(page: Any, label: str) -> float:
    first = page.locator("li.card").first.get_attribute("data-id")
    begun = time.perf_counter()
    page.get_by_role("button", name=label).click()
    page.locator(f"li.card:first-child:not([data-id='{first}'])").wait_for()
    return 1000 * (time.perf_counter() - begun)


@contextmanager
def server() -> Iterator[str]:
    """The dashboard in a process of its own, over the gallery of the environment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).read()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()
