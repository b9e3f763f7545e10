"""The README's tour: three pictures painted from samples with VGG19, photographed on the way.

More a tool than a test, and some minutes long: it is skipped unless its pictures are wanted.

NST_SCREENSHOTS=folder pytest tests/e2e/test_tour.py
"""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import expect

from nst import samples
from tests.e2e.test_dashboard import button, choose_samples, no_traceback

PHOTOGRAPHS, STYLES = samples.photographs(), samples.styles()


@pytest.fixture
def server(server, vgg19_path):
    server.stop()
    server.environment["NST_VGG19_WEIGHTS"] = str(vgg19_path)
    server.start()
    return server


@pytest.mark.skipif(not os.environ.get("NST_SCREENSHOTS"), reason="name a folder for the pictures in NST_SCREENSHOTS")
@pytest.mark.weights
@pytest.mark.slow
def test_tour(server, page, shot):
    page.goto(server.url)
    for place, (photograph, style) in enumerate([(2, 1), (1, 3), (0, 0)]):
        page.goto(server.url)
        expect(page.get_by_role("heading", name="Studio")).to_be_visible()
        choose_samples(page, PHOTOGRAPHS[photograph].title, [STYLES[style].title])
        expect(button(page, "Paint")).to_be_enabled()
        if place < 2:
            page.get_by_role("radio", name="Draft").click()
            expect(page.get_by_text("A quick look")).to_be_visible()
        button(page, "Paint").click()
        if place == 2:
            expect(page.get_by_text("stage 4 of 4")).to_be_visible(timeout=240_000)
            page.wait_for_timeout(15_000)
            page.mouse.wheel(0, -5000)
            shot(page, "studio")
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.get_by_role("progressbar")).to_have_count(0, timeout=600_000)
        button(page, "Open").click()  # the newest is the first
        expect(page.get_by_alt_text("The result").first).to_be_visible()
    shot(page, "result")
    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_text("3 results")).to_be_visible()
    shot(page, "gallery")
    page.emulate_media(color_scheme="dark")
    page.reload()
    expect(page.get_by_text("3 results")).to_be_visible()
    shot(page, "gallery-dark")
    no_traceback(page)
