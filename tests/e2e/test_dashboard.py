"""What a person does: paint two uploads, watch, leave and come back, find the result, survive a killed server."""

from __future__ import annotations

import io
import json
import re
import signal
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from nst import samples
from nst.config import Settings
from nst.image import encode_png, read_png_text


def picture(key: str) -> dict:
    """An upload; wide, so that few pixels are painted at a size that the page offers."""
    data = encode_png(samples.picture(key, 320, 120))
    return {"name": f"{key}.png", "mimeType": "image/png", "buffer": data}


PHOTOGRAPH, STYLE = samples.styles()[-1].key, samples.styles()[0].key
LONG = 300_000
"""Milliseconds that painting may take on a busy machine."""


def choose(page: Page, iterations: int, *, styles: int = 1, scales: int = 1) -> None:
    """Upload two pictures and ask for a draft of few steps."""
    upload(page, "Photograph", picture(PHOTOGRAPH))
    expect(page.get_by_alt_text(PHOTOGRAPH)).to_be_visible()
    upload(page, "Style pictures", [picture(sample.key) for sample in samples.styles()[:styles]])
    expect(page.get_by_alt_text(STYLE)).to_be_visible()
    page.get_by_role("radio", name="Draft").click()
    expect(page.get_by_text("A quick look")).to_be_visible()
    settled(page)
    page.get_by_text("Expert options").click()
    fill(page, "Iterations, at most", iterations)
    fill(page, "Scales, coarse to fine", scales)


def upload(page: Page, label: str, files: dict | list[dict]) -> None:
    """Drop files where the page says `label`: not on the first or second place, since the second may appear first.

    Streamlit loads the code of uploaders late, and React holds back for a moment those that were waiting for it.
    """
    place = page.get_by_role("region", name=label, exact=True).locator("input[type=file]")
    expect(place).to_have_count(1)  # after an upload, the one it went to may still be there
    place.set_input_files(files)


def choose_samples(page: Page, photograph: str, styles: list[str]) -> None:
    for place, titles in enumerate(([photograph], styles)):
        page.get_by_role("radio", name="Samples").nth(place).click()
        for title in titles:
            page.get_by_role("button", name=title, exact=True).click()
            expect(page.get_by_role("button", name=title, exact=True)).to_have_attribute("aria-pressed", "true")


def fill(page: Page, label: str, value: int) -> None:
    expect(page.get_by_label(label)).to_have_count(1)  # while a page is drawn anew, the old one may still be there
    page.get_by_label(label).fill(str(value))
    page.get_by_label(label).press("Enter")
    settled(page)


def settled(page: Page) -> None:
    """Wait until the server has answered the last action: on a busy machine the next one would overtake it."""
    page.wait_for_timeout(200)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def paint(page: Page, iterations: int, *, scales: int = 1) -> None:
    choose(page, iterations, scales=scales)
    button(page, "Paint").click()


def button(page: Page | Locator, label: str) -> Locator:
    """A button by its label; its text begins with the name of its icon."""
    found = page.get_by_test_id(re.compile("^stBaseButton")).filter(has_text=re.compile(f"^[a-z_]*{label}$"))
    return found.first  # one with a tooltip is there twice


def badge(page: Page, state: str) -> Locator:
    """The badge of an ended job; its text begins with the name of its icon."""
    return page.get_by_text(re.compile(f"^[a-z_ ]*{state}$"))


def no_traceback(page: Page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_newcomer_paints_two_uploads_and_finds_the_result(server, page, shot):
    page.goto(server.url)
    expect(page.get_by_role("heading", name="Studio")).to_be_visible()
    expect(button(page, "Paint")).to_be_disabled()
    shot(page, "studio-empty")
    paint(page, iterations=40, scales=2)  # long enough to be seen while it is painted
    expect(page.get_by_text("step ")).to_be_visible()
    expect(page.get_by_alt_text("The picture so far")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    expect(page.get_by_text("built-in filters")).to_have_count(2)  # what will be used, and what is
    shot(page, "studio-painting")
    expect(page.get_by_text("stage 2 of 2")).to_be_visible(timeout=LONG)
    expect(badge(page, "Finished")).to_be_visible(timeout=LONG)
    shot(page, "studio-finished")
    no_traceback(page)

    button(page, "Open").click()
    expect(page.get_by_alt_text("The result").first).to_be_visible()
    shot(page, "result")
    with page.expect_download() as download:
        button(page, "PNG").click()
    data = Path(download.value.path()).read_bytes()
    assert Image.open(io.BytesIO(data)).size == (256, 96)
    embedded = json.loads(read_png_text(data)["nst"])
    assert Settings.from_dict(embedded["settings"]).iterations == 40
    settled(page)
    with page.expect_download() as download:
        button(page, "Everything").click()
    assert zipfile.ZipFile(download.value.path()).testzip() is None
    page.get_by_role("tab", name="Settings").click()
    shot(page, "result-settings")
    no_traceback(page)

    button(page, "Gallery").click()
    expect(page.get_by_text("1 result", exact=True)).to_be_visible()
    shot(page, "gallery")
    page.get_by_label("Search").fill("no such picture")
    page.get_by_label("Search").press("Enter")
    expect(page.get_by_text("No result matches")).to_be_visible()
    page.get_by_label("Search").fill(STYLE[:5].upper())
    page.get_by_label("Search").press("Enter")
    expect(page.get_by_text("1 result", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile(PHOTOGRAPH)).first.click()
    button(page, "Delete").click()
    expect(page.get_by_text("moved to the trash")).to_be_visible()
    shot(page, "gallery-undo")
    button(page, "Undo").click()
    expect(page.get_by_text("1 result", exact=True)).to_be_visible()
    page.get_by_role("link", name=re.compile(PHOTOGRAPH)).first.click()
    button(page, "Delete").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    shot(page, "gallery-empty")
    no_traceback(page)


def test_a_job_outlives_its_tab_and_a_stopped_one_keeps_its_picture(server, page, browser, shot):
    page.goto(server.url)
    paint(page, iterations=5000)
    expect(page.get_by_text("step ")).to_be_visible()
    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_role("heading", name="Gallery")).to_be_visible()
    page.goto(server.url)
    expect(page.get_by_text("step ")).to_be_visible()
    page.context.close()

    other = browser.new_context().new_page()
    other.goto(server.url)
    expect(other.get_by_text("step ")).to_be_visible(timeout=30_000)
    button(other, "Stop and keep the picture").click()
    expect(badge(other, "Stopped")).to_be_visible(timeout=30_000)
    button(other, "Open").click()
    expect(other.get_by_alt_text("The result").first).to_be_visible(timeout=30_000)
    no_traceback(other)
    other.context.close()


def test_a_killed_server_loses_no_result_and_shows_the_job_as_interrupted(server, page, shot):
    page.goto(server.url)
    paint(page, iterations=3)
    expect(badge(page, "Finished")).to_be_visible()
    fill(page, "Iterations, at most", 5000)
    button(page, "Paint").click()
    expect(page.get_by_text(re.compile("of at most 5000"))).to_be_visible()
    expect(page.get_by_text("Style targets came from the cache.")).to_be_visible()
    time.sleep(2)
    server.stop(signal.SIGKILL)
    assert len(list((server.gallery / "results").iterdir())) == 1

    server.start()
    page.goto(server.url)
    expect(badge(page, "Interrupted")).to_be_visible()
    expect(page.get_by_text("It can go on where it was.").or_(page.get_by_text("run it again"))).to_be_visible()
    shot(page, "studio-interrupted")
    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_text("1 result", exact=True)).to_be_visible()
    page.get_by_role("link", name="Studio").click()
    button(page, "Paint again").click()
    expect(page.get_by_text(re.compile("of at most 5000"))).to_be_visible()
    no_traceback(page)


def test_a_server_stopped_politely_keeps_the_picture_it_is_painting(server, page):
    page.goto(server.url)
    paint(page, iterations=5000)
    expect(page.get_by_text("of at most 5000")).to_be_visible()
    server.stop(signal.SIGINT)
    assert len(list((server.gallery / "results").iterdir())) == 1
    assert not list((server.gallery / "work").glob("job-*"))


def test_what_is_no_picture_is_told_in_words(common_server, page, shot):
    page.goto(common_server.url)
    fake = {"name": "<b>*fake*</b>.png", "mimeType": "image/png", "buffer": b"<html>not a picture</html>"}
    upload(page, "Photograph", fake)
    expect(page.get_by_text("Choose a JPEG, PNG, WebP, TIFF or AVIF file.")).to_be_visible()
    shot(page, "studio-not-a-picture")
    expect(button(page, "Paint")).to_be_disabled()
    no_traceback(page)


def test_an_empty_gallery_makes_a_first_picture_without_network_or_uploads(server, page, shot):
    page.goto(f"{server.url}/gallery")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    shot(page, "gallery-empty")
    button(page, "Paint one from samples").click()
    expect(page.get_by_role("heading", name="Studio")).to_be_visible()
    expect(page.get_by_alt_text("The picture so far")).to_be_visible()
    shot(page, "studio-first")
    button(page, "Stop and keep the picture").click()  # all its steps would take a minute
    button(page, "Open").click(timeout=LONG)
    expect(page.get_by_alt_text("The result").first).to_be_visible()
    shot(page, "result-first")
    page.get_by_role("tab", name="Origin").click()
    expect(page.get_by_text("built-in filters").first).to_be_visible()
    no_traceback(page)


def test_samples_settings_and_a_phone(common_server, page, shot):
    page.goto(common_server.url)
    expect(page.get_by_text("Your picture appears here")).to_be_visible()
    choose_samples(page, samples.photographs()[0].title, [samples.styles()[1].title])
    expect(button(page, "Paint")).to_be_enabled()
    shot(page, "studio-samples")
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_text("In use")).to_be_visible()
    shot(page, "settings")
    page.get_by_text("A weights file of mine").click()
    page.get_by_label("Path of the weights file (.h5)").fill("/nowhere/vgg19.h5")
    page.get_by_label("Path of the weights file (.h5)").press("Enter")
    button(page, "Use this").click()
    expect(page.get_by_test_id("stAlert")).to_contain_text("vgg19.h5")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(common_server.url)
    expect(page.get_by_role("heading", name="Studio")).to_be_visible()
    shot(page, "studio-phone")
    no_traceback(page)


def test_an_upload_with_a_hostile_name_and_alpha_goes_through(server, page):
    rgba = np.zeros((40, 64, 4), np.uint8)
    rgba[:, 20:] = (200, 120, 40, 255)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    page.goto(server.url)
    name = "**bold** [x](http://y.org) www.y.org.png"
    upload(page, "Photograph", {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()})
    expect(page.get_by_alt_text(re.compile("y.org"))).to_be_visible()
    upload(page, "Style pictures", picture(STYLE))
    expect(page.get_by_alt_text(STYLE)).to_be_visible()
    page.get_by_role("radio", name="Draft").click()
    expect(page.get_by_text("A quick look")).to_be_visible()
    settled(page)
    page.get_by_text("Expert options").click()
    fill(page, "Iterations, at most", 2)
    fill(page, "Scales, coarse to fine", 1)
    button(page, "Paint").click()
    expect(badge(page, "Finished")).to_be_visible()
    assert page.locator("strong").count() == 0
    assert page.locator("a[href*='y.org']").count() == 0
    button(page, "Open").click()
    with page.expect_download() as download:
        button(page, "PNG").click()
    alpha = np.asarray(Image.open(download.value.path()))[..., 3]
    assert alpha[:, 0].max() == 0
    assert alpha[:, -1].min() == 255


def test_no_page_asks_anybody_else_for_anything(common_server, page):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("", "gallery", "statistics", "settings", "result?id=x", "compare?ids=x"):
        page.goto(f"{common_server.url}/{name}")
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        settled(page)
    assert [url for url in asked if not url.startswith((common_server.url, "data:", "blob:"))] == []
