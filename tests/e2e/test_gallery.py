"""What a person does in the Gallery: find, open, star, select, delete, undo, take results elsewhere and back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from nst import image, samples
from nst.config import preset
from nst.gallery import Gallery
from tests.e2e.conftest import Server
from tests.test_gallery import add, result

Filled = tuple[Server, Gallery, list[str]]
SHAPES = ((320, 240), (240, 320), (320, 200))
STYLES = samples.styles()


def fill(gallery: Gallery, count: int) -> list[str]:
    """Results that look like results, without painting any: samples of styles."""
    content = gallery.add_input(samples.file("pagoda"), "pagoda.jpg")
    styles = [gallery.add_input(image.encode_png(samples.picture(style.key, 160, 120)), style.key) for style in STYLES]
    pictures = [samples.picture(STYLES[n % len(STYLES)].key, *SHAPES[n % 3]) for n in range(min(count, 6))]
    ids = []
    for number in range(count):
        settings = preset("draft" if number < 10 else "studio").replace(strength=float(20 + 7 * number % 60))
        picture = pictures[number % len(pictures)]
        made = result(picture=picture, settings=settings, seconds=4.0 + 9 * number)
        style = styles[number % len(STYLES)]
        ids.append(add(gallery, f"Harbour {number:02}", made, content=content, styles=[style]).id)
    return ids


@pytest.fixture(scope="module")
def thirty(tmp_path_factory) -> tuple[Path, list[str]]:
    """A gallery of thirty results, to copy: saving them takes longer than any test here. And the ids, oldest first."""
    root = tmp_path_factory.mktemp("thirty") / "gallery"
    return root, fill(Gallery(root), 30)


@contextmanager
def serving(thirty: tuple[Path, list[str]], folder: Path) -> Iterator[Filled]:
    root, ids = thirty
    shutil.copytree(root, folder / "gallery")
    with Server.running(folder) as server:
        yield server, Gallery(server.gallery), ids


@pytest.fixture(scope="module")
def looked_at(thirty, tmp_path_factory) -> Iterator[Filled]:
    """One server over thirty results for all tests that change none of them, the gallery, and the ids."""
    with serving(thirty, tmp_path_factory.mktemp("looked_at")) as all_three:
        yield all_three


@pytest.fixture
def filled(thirty, tmp_path) -> Iterator[Filled]:
    """A server of the test's own over thirty results, the gallery, and the ids."""
    with serving(thirty, tmp_path) as all_three:
        yield all_three


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("link", name=name, exact=True)


def star(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=f"Star {name}", exact=True)


def box(page: Page, name: str) -> Locator:
    return page.get_by_role("checkbox", name=f"Select {name}", exact=True)


def button(page: Page, label: str) -> Locator:
    """A button by its label; its text begins with the name of its icon."""
    found = page.get_by_test_id(re.compile("^stBaseButton|^stPopoverButton")).filter(
        has_text=re.compile(rf"^[a-z_]*{label}", re.DOTALL)
    )
    return found.filter(visible=True).first


def settled(page: Page) -> None:
    """Wait until the server has answered the last action."""
    page.wait_for_timeout(200)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def opened(page: Page, name: str) -> None:
    """The result's own page is there, in this tab."""
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page).to_have_url(re.compile("/result"))


def no_traceback(page: Page) -> None:
    expect(page.get_by_test_id("stException")).to_have_count(0)


def select(page: Page, *names: str) -> None:
    page.get_by_text("Select", exact=True).click()
    for name in names:
        box(page, name).click()
    expect(page.get_by_text(f"{len(names)} selected")).to_be_visible()
    settled(page)


def test_a_result_is_opened_by_mouse_by_keyboard_and_in_a_tab_of_its_own(looked_at, page, shot):
    server, _, ids = looked_at
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    shot(page, "gallery-many")
    page.evaluate("window.sameVisit = true")
    card(page, "Harbour 28").click()
    opened(page, "Harbour 28")
    assert page.evaluate("window.sameVisit"), "the page was not loaded anew: the session goes on"
    page.go_back()
    card(page, "Harbour 29").focus()
    page.keyboard.press("ArrowRight")
    expect(card(page, "Harbour 28")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(card(page, "Harbour 27")).to_be_focused()
    page.keyboard.press("Tab")
    expect(star(page, "Harbour 27")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    opened(page, "Harbour 27")
    page.go_back()
    with page.context.expect_page() as other:
        card(page, "Harbour 26").click(modifiers=["Control"])
    opened(other.value, "Harbour 26")
    assert ids[26] in other.value.url
    no_traceback(page)


def test_thumbnails_keep_their_place_while_they_load(looked_at, page):
    server, _, _ = looked_at
    page.route("**/files/thumbnail/*", lambda route: None)  # they never come
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 06")).to_be_visible()
    before = card(page, "Harbour 10").bounding_box()
    page.unroute("**/files/thumbnail/*")
    page.reload()
    page.wait_for_function("performance.getEntriesByType('resource').some(e => e.name.includes('/files/thumbnail/'))")
    expect(card(page, "Harbour 10")).to_be_visible()
    settled(page)
    assert card(page, "Harbour 10").bounding_box() == before


def test_stars_are_kept_and_cards_stay_while_they_are_given(filled, page):
    server, gallery, ids = filled
    page.goto(f"{server.url}/gallery")
    expect(star(page, "Harbour 29")).to_have_attribute("aria-pressed", "false")
    card(page, "Harbour 29").evaluate("node => { node.mark = 'the same node' }")
    for number in (29, 28, 27):  # quickly, one after the other
        star(page, f"Harbour {number}").click()
    expect(star(page, "Harbour 27")).to_have_attribute("aria-pressed", "true")
    settled(page)
    assert [entry.id for entry in gallery.query(starred=True).entries] == ids[:26:-1]
    page.get_by_text("Starred", exact=True).click()
    expect(page.get_by_text("3 of 30 results")).to_be_visible()
    expect(card(page, "Harbour 29")).to_be_visible()
    assert card(page, "Harbour 29").evaluate("node => node.mark") == "the same node"
    page.reload()
    expect(page.get_by_text("3 of 30 results")).to_be_visible()
    star(page, "Harbour 28").click()
    expect(card(page, "Harbour 28")).to_have_count(0)
    no_traceback(page)


def test_a_link_reproduces_what_its_sender_saw(looked_at, page, browser, shot):
    server, _, _ = looked_at
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    page.get_by_label("Search").fill("harbour")
    page.get_by_label("Search").press("Enter")
    settled(page)
    button(page, "Filters").click()
    page.get_by_label("Preset").click()
    page.get_by_role("option", name=re.compile("Studio")).click()
    expect(page.get_by_text("20 of 30 results")).to_be_visible()
    shot(page, "gallery-filters")
    page.keyboard.press("Escape")
    settled(page)
    assert "preset=studio" in page.url
    assert "q=harbour" in page.url
    other = browser.new_context().new_page()
    other.goto(f"{page.url}&order=name")
    expect(other.get_by_text("20 of 30 results · Preset: Studio")).to_be_visible()
    expect(other.get_by_label("Search")).to_have_value("harbour")
    expect(other.get_by_role("link", name=re.compile("^Harbour")).first).to_have_accessible_name("Harbour 10")
    other.reload()
    expect(other.get_by_text("20 of 30 results")).to_be_visible()
    button(other, "Clear").click()
    expect(other.get_by_text("30 results", exact=True)).to_be_visible()
    settled(other)  # the address is the last thing that a run changes
    other.go_back()
    expect(other.get_by_text("20 of 30 results")).to_be_visible()
    no_traceback(other)
    other.context.close()


def test_back_from_a_result_leads_to_what_was_searched_and_on(looked_at, page):
    server, _, _ = looked_at
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    page.get_by_label("Search").fill("Harbour 1")
    page.get_by_label("Search").press("Enter")
    expect(page.get_by_text("10 of 30 results")).to_be_visible()
    card(page, "Harbour 12").click()
    opened(page, "Harbour 12")
    page.go_back()
    expect(page.get_by_label("Search")).to_have_value("Harbour 1")
    expect(page).to_have_url(f"{server.url}/gallery?q=Harbour+1")
    for _ in range(2):  # past the step that Streamlit leaves in the history
        page.go_back()
        settled(page)
    expect(page.get_by_text("30 results", exact=True)).to_be_visible()
    no_traceback(page)


def test_pages_are_in_the_address(looked_at, page):
    server, _, _ = looked_at
    page.goto(f"{server.url}/gallery")
    page.get_by_role("button", name="Page 2", exact=True).click()
    expect(card(page, "Harbour 05")).to_be_visible()
    expect(page).to_have_url(re.compile("page=2"))
    page.reload()
    expect(card(page, "Harbour 05")).to_be_visible()
    page.go_back()
    expect(card(page, "Harbour 29")).to_be_visible()


def test_many_are_deleted_and_had_back(filled, page, shot):
    server, gallery, ids = filled
    gallery.annotate(ids[27], starred=True)
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    select(page, "Harbour 29", "Harbour 28", "Harbour 27")
    shot(page, "gallery-select")
    button(page, "Delete").click()
    expect(page.get_by_text("2 moved to the trash.")).to_be_visible()
    expect(page.get_by_text(re.compile("1 stays where it is"))).to_be_visible()
    expect(card(page, "Harbour 29")).to_have_count(0)
    expect(card(page, "Harbour 27")).to_be_visible()
    shot(page, "gallery-undo")
    button(page, "Undo").click()
    expect(card(page, "Harbour 29")).to_be_visible()
    assert gallery.query().total == 30
    no_traceback(page)


def test_the_trash_gives_back_and_forgets(filled, page, shot):
    server, gallery, ids = filled
    gallery.delete_many(ids[:4])
    page.goto(f"{server.url}/gallery")
    button(page, r"Trash \(4\)").click()
    expect(page.get_by_role("heading", name="Trash")).to_be_visible()
    expect(page.get_by_alt_text("Harbour 03")).to_be_visible()
    shot(page, "gallery-trash")
    page.reload()
    box(page, "Harbour 03").click()
    expect(page.get_by_text("1 of 4 results selected")).to_be_visible()
    button(page, "Restore").click()
    expect(page.get_by_alt_text("Harbour 03")).to_have_count(0)
    assert gallery.get(ids[3]).name == "Harbour 03"
    page.get_by_role("button", name="All", exact=True).click()
    button(page, "Delete for good").click()
    button(page, "Delete 3 results for good").click()
    expect(page.get_by_text("The trash is empty.")).to_be_visible()
    button(page, "Gallery").click()
    expect(page.get_by_text("27 results")).to_be_visible()
    no_traceback(page)


def test_results_go_out_as_a_zip_and_come_back(filled, page, tmp_path):
    server, gallery, ids = filled
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    select(page, "Harbour 29", "Harbour 28")
    button(page, "Export").click()
    expect(page.get_by_text("2 results in the zip.")).to_be_visible()
    with page.expect_download() as download:
        button(page, "Download").click()
    path = tmp_path / "nst-results.zip"
    path.write_bytes(Path(download.value.path()).read_bytes())
    gallery.delete_many(ids[28:])
    gallery.purge(ids[28:])
    page.goto(f"{server.url}/gallery")
    expect(page.get_by_text("28 results")).to_be_visible()
    button(page, "Import").click()
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_text("2 results imported.")).to_be_visible()
    expect(page.get_by_text("Zips that a gallery exported")).not_to_be_visible()
    expect(card(page, "Harbour 29")).to_be_visible()
    assert gallery.query().total == 30
    no_traceback(page)


def test_a_chosen_few_are_compared(looked_at, page):
    server, _, ids = looked_at
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    select(page, "Harbour 29", "Harbour 25")
    button(page, "Compare").click()
    expect(page).to_have_url(re.compile(f"/compare.*{ids[29]}.*{ids[25]}"))
    no_traceback(page)


def test_the_gallery_fits_a_phone_and_the_dark(filled, page, browser, shot):
    server, gallery, ids = filled
    gallery.annotate(ids[29], starred=True, rating=5, tags=["wall"])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/gallery")
    expect(card(page, "Harbour 29")).to_be_visible()
    shot(page, "gallery-phone")
    left, right = (card(page, f"Harbour {number}").bounding_box() for number in (29, 28))
    assert left["y"] == right["y"], "two columns"
    assert right["x"] + right["width"] <= 390
    select(page, "Harbour 29")
    shot(page, "gallery-phone-select")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    dark = browser.new_context(color_scheme="dark", viewport={"width": 1360, "height": 960}).new_page()
    dark.goto(f"{server.url}/gallery")
    expect(card(dark, "Harbour 29")).to_be_visible()
    shot(dark, "gallery-dark")
    dark.goto(f"{server.url}/statistics")
    expect(dark.get_by_test_id("stVegaLiteChart")).to_have_count(4)
    shot(dark, "statistics-dark")
    dark.context.close()


def test_statistics_are_drawn_on_any_screen(filled, page, shot):
    server, gallery, ids = filled
    for number, entry_id in enumerate(ids):
        gallery.annotate(entry_id, rating=number % 6, starred=number % 4 == 0)
    page.goto(f"{server.url}/statistics")
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(4)
    shot(page, "statistics")
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(4)
    shot(page, "statistics-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    no_traceback(page)
