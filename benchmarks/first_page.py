"""Seconds until the Studio is there and done, for the first visitor of a server that has just come up.

    python -m benchmarks.first_page

Every round starts a server of its own over an empty gallery, waits for its health page, then opens Chromium's page.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time

from benchmarks.common import table, write
from benchmarks.gallery_page import CHROMIUM, server

ROUNDS = 5


def main() -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        seconds = [_visit(browser) for _ in range(ROUNDS)]
        browser.close()
    figures = {"median_s": statistics.median(seconds), "worst_s": max(seconds), "rounds": ROUNDS}
    table(["median s", "worst s"], [[figures["median_s"], figures["worst_s"]]])
    write("first_page", figures)


def _visit(browser: object) -> float:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NST_GALLERY"], os.environ["NST_OFFLINE"] = folder, "1"
        with server() as url:
            page = browser.new_page(viewport={"width": 1360, "height": 960})  # type: ignore[attr-defined]
            begun = time.perf_counter()
            page.goto(url)
            page.get_by_role("heading", name="Studio").wait_for()
            page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
            taken = time.perf_counter() - begun
            page.close()
    return taken


if __name__ == "__main__":
    main()
