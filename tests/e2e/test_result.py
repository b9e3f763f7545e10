"""What a person does with results in a browser: part, colour, download, scrub, compare. Nothing is painted for it."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from nst import image
from nst.colour import Look
from nst.gallery import Entry, Gallery
from tests.conftest import draw
from tests.e2e.test_dashboard import button, no_traceback, settled
from tests.galleries import add, result

WIDTH, HEIGHT = 480, 320


@pytest.fixture
def server(common_server):
    """Every test opens results of its own."""
    return common_server


@pytest.fixture
def gallery(server):
    return Gallery(server.gallery)


@pytest.fixture
def entry(gallery, tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in (10, 20, 30):
        (frames / f"{number:06}.jpg").write_bytes(image.encode_jpeg(draw(WIDTH, HEIGHT, number)))
    return painted(gallery, "Harbour", seed=3, frames=frames)


def painted(gallery: Gallery, name: str, *, seed: int, **options: object) -> Entry:
    photograph = gallery.add_input(image.encode_png(draw(WIDTH, HEIGHT, 1)), "waves.png")
    made = result(picture=draw(WIDTH, HEIGHT, seed), seed=seed)
    return add(gallery, name, made, content=photograph, **options)


def open_result(page: Page, server, entry: Entry) -> None:
    page.goto(f"{server.url}/result?id={entry.id}")
    loaded(page.get_by_alt_text("The result"))
    settled(page)


def loaded(picture: Locator) -> None:
    """Wait until a picture has arrived and is seen."""
    expect(picture).to_be_visible()
    expect(picture).to_have_attribute("src", re.compile("/files/"))
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def parted(page: Page) -> float:
    """Where the photograph ends, in percent, as the browser draws it."""
    clip = page.get_by_alt_text("The photograph").evaluate("image => getComputedStyle(image).clipPath")
    right = re.search(r"100% - ([\d.]+)%", clip)
    return float(right[1]) if right else 100 - float(re.search(r"inset\(0px ([\d.]+)%", clip)[1])


def downloaded(page: Page, label: str) -> bytes:
    with page.expect_download() as download:
        button(page, label).click()
    return Path(download.value.path()).read_bytes()


def popover(page: Page, label: str) -> Locator:
    """The button of a popover; its text ends with the name of an arrow."""
    return page.get_by_test_id("stPopover").filter(has_text=label).get_by_role("button")


def sides(page: Page) -> list[str]:
    """What the browser makes of the zoom of each picture."""
    return page.locator(".pane img").evaluate_all("all => all.map(image => getComputedStyle(image).transform)")


def test_the_slider_parts_photograph_and_result_by_mouse_and_keys(server, page, entry, shot):
    open_result(page, server, entry)
    loaded(page.get_by_alt_text("The photograph"))
    slider = page.get_by_role("slider", name="Photograph and Result")
    assert parted(page) == 50
    stage = page.locator(".stage").first.bounding_box()
    assert stage["width"] / stage["height"] == pytest.approx(WIDTH / HEIGHT, rel=0.01)
    middle = stage["y"] + stage["height"] / 2
    page.mouse.move(stage["x"] + stage["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 4, middle, steps=4)
    page.mouse.up()
    assert parted(page) == pytest.approx(25, abs=0.5)
    page.mouse.move(stage["x"] + stage["width"] * 0.9, middle)  # nothing is held any more
    assert parted(page) == pytest.approx(25, abs=0.5)
    page.keyboard.press("End")
    assert parted(page) == 100
    slider.press("ArrowLeft")
    assert parted(page) == 99
    expect(slider).to_have_attribute("aria-valuetext", "99 % Photograph")
    assert (
        page.locator(".handle")
        .first.evaluate("handle => getComputedStyle(handle, '::after').boxShadow")
        .endswith("3px")
    )
    shot(page, "result-slider")
    no_traceback(page)


def test_the_slider_follows_a_finger_on_a_phone_whose_page_is_not_too_wide(server, browser, entry, shot):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_result(page, server, entry)
    stage = page.locator(".stage").first.bounding_box()
    page.touchscreen.tap(stage["x"] + stage["width"] * 0.8, stage["y"] + stage["height"] / 2)
    assert parted(page) == pytest.approx(80, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert stage["y"] + stage["height"] < 844  # the picture is seen without scrolling
    shot(page, "result-phone")
    context.close()


def test_colours_switch_at_once_and_stay_where_they_are_kept(server, page, entry, gallery):
    open_result(page, server, entry)
    picture = page.get_by_alt_text("The result")
    expect(picture).to_have_attribute("src", f"/files/picture/{entry.id}?colours=own&blend=1")
    expect(button(page, "Keep these colours")).to_be_disabled()
    page.get_by_text("The photograph's", exact=True).click()
    expect(picture).to_have_attribute("src", f"/files/picture/{entry.id}?colours=photograph&blend=1")
    loaded(picture)
    blend = page.get_by_role("slider", name="Photograph to picture")
    blend.press("ArrowLeft")
    expect(picture).to_have_attribute("src", f"/files/picture/{entry.id}?colours=photograph&blend=0.99")
    button(page, "Keep these colours").click()
    expect(button(page, "Keep these colours")).to_be_disabled()
    settled(page)
    assert gallery.get(entry.id).look == Look("photograph", 0.99)
    open_result(page, server, entry)
    expect(picture).to_have_attribute("src", f"/files/picture/{entry.id}?colours=photograph&blend=0.99")
    no_traceback(page)


def test_downloads_are_of_what_is_shown(server, page, entry, gallery):
    open_result(page, server, entry)
    assert downloaded(page, "PNG") == gallery.picture(entry.id, "png")
    page.get_by_text("Matched", exact=True).click()
    expect(page.get_by_alt_text("The result")).to_have_attribute("src", re.compile("matched"))  # told by the browser
    expect(button(page, "Keep these colours")).to_be_enabled()  # and by the server
    settled(page)
    look = Look("matched")
    assert downloaded(page, "PNG") == gallery.picture(entry.id, "png", look=look)
    assert downloaded(page, "JPEG") == gallery.picture(entry.id, "jpeg", look=look)
    assert downloaded(page, "WebP") == gallery.picture(entry.id, "webp", look=look)
    assert downloaded(page, "TIFF") == gallery.picture(entry.id, "tiff", look=look)
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "Everything"))) as archive:
        assert archive.testzip() is None
        assert f"results/{entry.id}/result.png" in archive.namelist()
    no_traceback(page)


def test_what_is_said_about_a_result_is_kept(server, page, entry, gallery):
    open_result(page, server, entry)
    button(page, "☆ Star").click()
    expect(button(page, "★ Starred")).to_be_visible()
    popover(page, "Rename").click()
    page.get_by_label("Name", exact=True).fill("Harbour at dawn")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Harbour at dawn")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Note").fill("For the hall")
    page.get_by_label("Note").press("Control+Enter")
    settled(page)
    page.get_by_label("Tags").fill("sea")
    page.get_by_label("Tags").press("Enter")
    settled(page)
    kept = gallery.get(entry.id)
    assert (kept.name, kept.starred, kept.note, kept.tags) == ("Harbour at dawn", True, "For the hall", ("sea",))
    no_traceback(page)


def test_the_timeline_is_scrubbed_and_becomes_a_film(server, page, entry, shot):
    open_result(page, server, entry)
    page.get_by_role("tab", name="Timeline").click()
    picture = page.get_by_alt_text("The picture after evaluation 10")
    loaded(picture)
    scrubber = page.get_by_role("slider", name="After evaluation")
    scrubber.press("ArrowRight")
    loaded(page.get_by_alt_text("The picture after evaluation 20"))
    scrubber.press("End")
    loaded(page.get_by_alt_text("The finished picture"))
    shot(page, "result-timeline")
    panel = page.get_by_role("tabpanel", name="Timeline")
    with page.expect_download() as download:
        button(panel, "GIF").click()
    film = Image.open(download.value.path())
    assert (film.format, film.n_frames > 3) == ("GIF", True)
    with page.expect_download() as download:
        button(panel, "MP4").click()
    assert b"ftyp" in Path(download.value.path()).read_bytes()[:12]
    no_traceback(page)


def test_two_results_are_compared_under_one_zoom(server, page, entry, gallery, shot):
    painted(gallery, "Other *and* <b>more</b>", seed=4)
    open_result(page, server, entry)
    page.get_by_test_id("stMenuButton").filter(has_text="Compare").get_by_role("button").click()
    page.get_by_text(re.compile("Other")).click()  # what stops Markdown is invisible, and in the text
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()
    loaded(page.get_by_alt_text("The result: Harbour"))
    expect(page.get_by_text("1. Harbour").first).to_be_visible()
    page.get_by_text("Side by side").click()
    panes = page.locator(".pane")
    expect(panes).to_have_count(2)
    loaded(page.locator(".panes").get_by_alt_text("The result: Other *and*"))
    page.locator(".panes").press("+")
    assert len({*sides(page)}) == 1
    assert sides(page)[0].startswith("matrix(1.5, 0, 0, 1.5, -")
    before = sides(page)
    box = panes.nth(1).bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 130, box["y"] + 120, steps=3)
    page.mouse.up()
    assert sides(page)[0] != before[0]
    assert len({*sides(page)}) == 1
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(100)
    assert float(re.search(r"matrix\(([\d.]+)", sides(page)[0])[1]) > 3
    page.locator(".panes").press("0")
    assert sides(page) == ["matrix(1, 0, 0, 1, 0, 0)"] * 2
    shot(page, "compare")
    page.get_by_role("link", name="Open 2").click()
    expect(page.get_by_role("heading", name="Other")).to_be_visible()
    no_traceback(page)


def test_names_are_never_markup_in_the_viewer(server, page, gallery):
    first = painted(gallery, "<img src=x onerror=alert(1)>", seed=3)
    second = painted(gallery, "</figcaption><script>alert(2)</script>", seed=4)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"{server.url}/compare?ids={first.id},{second.id}")
    expect(page.get_by_role("slider", name="1. <img src=x onerror=alert(1)> and 2.")).to_be_visible()
    page.get_by_text("Side by side").click()
    expect(page.locator(".panes figcaption")).to_have_text(
        ["1. <img src=x onerror=alert(1)>", "2. </figcaption><script>alert(2)</script>"]
    )
    assert page.locator(".panes img").count() == 2
    assert np.all([found.startswith("/files/") for found in page.locator(".panes img").evaluate_all(SOURCES)])


RING = "handle => getComputedStyle(handle, '::after').boxShadow"
SOURCES = "all => all.map(image => image.getAttribute('src'))"
