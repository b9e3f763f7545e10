"""The Studio in a browser: cards, shares, proofs, watching, steering, pausing, what comes back from a picture."""

from __future__ import annotations

import re
import signal

from playwright.sync_api import Page, expect

from nst import samples
from nst.checkpoint import Checkpoint
from tests.e2e.test_dashboard import (
    LONG,
    PHOTOGRAPH,
    STYLE,
    badge,
    button,
    choose,
    fill,
    no_traceback,
    picture,
    settled,
    upload,
)

PHOTOGRAPHS, STYLES = samples.photographs(), samples.styles()


def card(page: Page, title: str):
    return page.get_by_role("button", name=title, exact=True)


def from_samples(page: Page, styles: list[str]) -> None:
    page.get_by_role("radio", name="Samples").nth(0).click()
    card(page, PHOTOGRAPHS[1].title).click()
    page.get_by_role("radio", name="Samples").nth(1).click()
    for title in styles:
        card(page, title).click()


def test_cards_are_pressed_by_mouse_and_by_keyboard(common_server, page, shot):
    page.goto(common_server.url)
    first, second, third = (sample.title for sample in STYLES[:3])
    from_samples(page, [first, second, first, third, first])  # as quickly as a browser can
    for title, pressed in ((first, "true"), (second, "true"), (third, "true")):
        expect(card(page, title)).to_have_attribute("aria-pressed", pressed)
    expect(page.get_by_role("slider", name=re.compile("Share of"))).to_have_count(3)
    card(page, second).focus()
    page.keyboard.press("Space")
    expect(card(page, second)).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("slider", name=re.compile("Share of"))).to_have_count(2)
    expect(page.get_by_text("on this computer")).to_be_visible()
    shot(page, "studio-shares")
    no_traceback(page)


def test_an_uploaded_style_waits_on_the_shelf(common_server, page, browser, shot):
    page.goto(common_server.url)
    upload(page, "Style pictures", picture(STYLE))
    expect(page.get_by_alt_text(STYLE)).to_be_visible()
    other = browser.new_context().new_page()
    other.goto(common_server.url)
    other.get_by_role("radio", name="Shelf").click()
    card(other, STYLE).click()
    expect(card(other, STYLE)).to_have_attribute("aria-pressed", "true")
    shot(other, "studio-shelf")
    no_traceback(other)
    other.context.close()


def test_a_proof_is_chosen_and_painted_in_full(server, page, shot):
    page.goto(server.url)
    from_samples(page, [STYLES[0].title])
    page.get_by_role("radio", name="Draft").click()
    expect(page.get_by_text("A quick look")).to_be_visible()
    settled(page)
    page.get_by_test_id("stPopoverButton").filter(has_text="Proofs").first.click()
    button(page, "Make proofs").click()
    page.keyboard.press("Escape")
    expect(page.get_by_alt_text("Strength 30 · strokes 60")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Choose the one to paint in full.")).to_be_visible(timeout=LONG)
    expect(page.get_by_alt_text(re.compile("^Strength"))).to_have_count(9)
    shot(page, "studio-proofs")
    button(page, "Paint this").click()
    expect(page.get_by_alt_text("The picture so far")).to_be_visible()
    expect(button(page, "Open")).to_be_visible(timeout=LONG)
    no_traceback(page)


def test_painting_is_watched_steered_paused_and_resumed(server, page, shot):
    page.goto(server.url)
    choose(page, iterations=5000)
    button(page, "Paint").click()
    expect(page.get_by_text("of at most 5000")).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\d+ % · Style studio$"))
    strength = page.get_by_role("slider", name="Strength, from here on")
    strength.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(strength).to_have_value("55")
    page.get_by_role("radio", name="By layer").click()
    shot(page, "studio-layers")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("link", name="Watch the picture").click()
    expect(page.get_by_role("progressbar")).to_be_in_viewport()
    shot(page, "studio-phone-watching")
    page.set_viewport_size({"width": 1360, "height": 960})

    fill(page, "Iterations, at most", 3)
    button(page, "Paint").click()
    expect(page.get_by_text(re.compile("^1. "))).to_be_visible()
    button(page, "Pause").click()
    expect(badge(page, "Finished")).to_be_visible(timeout=LONG)  # the next one had its turn
    expect(badge(page, "Paused")).to_be_visible()
    expect(page).to_have_title("Style studio")
    button(page, "Resume").click()
    expect(page.get_by_text("of at most 5000")).to_be_visible()
    button(page, "Stop and keep the picture").click()
    expect(badge(page, "Stopped")).to_be_visible(timeout=LONG)
    no_traceback(page)


def test_a_picture_made_here_brings_its_settings_back(server, page, shot):
    page.goto(server.url)
    choose(page, iterations=3)
    button(page, "Paint").click()
    button(page, "Open").click(timeout=LONG)
    expect(page.get_by_alt_text("The result").first).to_be_visible()
    (made,) = (server.gallery / "results").glob("*/result.png")
    page.goto(server.url)
    upload(page, "Photograph", {"name": "shared.png", "mimeType": "image/png", "buffer": made.read_bytes()})
    expect(page.get_by_text("This picture was made here")).to_be_visible()
    shot(page, "studio-offer")
    button(page, "Use its settings").click()
    expect(page.get_by_text("Settings of 'the dropped picture'")).to_be_visible()
    expect(page.get_by_alt_text(PHOTOGRAPH)).to_be_visible()
    settled(page)
    page.get_by_text("Expert options").click()
    expect(page.get_by_label("Iterations, at most")).to_have_value("3")
    shot(page, "studio-recalled")
    no_traceback(page)


def test_a_paused_picture_goes_on_after_the_server_was_killed(server, page):
    page.goto(server.url)
    choose(page, iterations=5000)
    button(page, "Paint").click()
    steps = page.get_by_text(re.compile(r"step \d+ of at most 5000"))
    expect(steps).to_be_visible()
    page.wait_for_timeout(2000)
    button(page, "Pause").click()
    expect(badge(page, "Paused")).to_be_visible(timeout=LONG)
    (folder,) = (server.gallery / "work").glob("job-*")
    done = Checkpoint.load(folder / "checkpoint.npz").evaluations
    assert done > 1
    server.stop(signal.SIGKILL)

    server.start()
    page.goto(server.url)
    expect(badge(page, "Paused")).to_be_visible()
    button(page, "Resume").click()
    expect(steps).to_be_visible(timeout=LONG)
    button(page, "Stop and keep the picture").click()
    expect(badge(page, "Stopped")).to_be_visible(timeout=LONG)
    (losses,) = (server.gallery / "results").glob("*/losses.csv")
    assert len(losses.read_text().splitlines()) - 1 > done  # every step of before, and some more
    no_traceback(page)


WATCH = """() => {
  window.kept = [...document.querySelectorAll("[alt='The picture so far'], [data-testid=stVegaLiteChart]")]
  window.shifts = 0
  new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value
  }).observe({type: "layout-shift"})
}"""


def test_nothing_flickers_or_jumps_while_a_picture_is_painted(server, page):
    page.goto(server.url)
    choose(page, iterations=5000)
    page.get_by_role("radio", name="Classics").click()  # which stop for no plateau
    settled(page)
    button(page, "Paint").click()
    preview = page.get_by_alt_text("The picture so far")
    expect(preview).to_be_visible()
    expect(page.get_by_text(re.compile(r"about .* left"))).to_be_visible()
    page.wait_for_timeout(2000)
    page.evaluate(WATCH)
    before = preview.get_attribute("src")
    page.wait_for_timeout(5000)
    assert preview.get_attribute("src") != before  # it has been drawn anew, in the same place
    kept = page.evaluate("window.kept.map(node => node.isConnected)")
    assert len(kept) >= 2
    assert all(kept)
    assert page.evaluate("window.shifts") < 0.01
    button(page, "Stop and keep the picture").click()
    no_traceback(page)


BARE = """() => {
  const found = []
  const look = root => {
    for (const node of root.querySelectorAll("*")) {
      if (node.matches("img[src]") && !(node.getAttribute("alt") || "").trim()) found.push(node.outerHTML.slice(0, 120))
      if (node.shadowRoot) look(node.shadowRoot)
    }
  }
  look(document)
  return found
}"""


def test_every_picture_has_a_text_in_its_place(server, page):
    page.goto(server.url)
    from_samples(page, [STYLES[0].title])
    assert page.evaluate(BARE) == []
    page.get_by_role("radio", name="Draft").click()
    settled(page)
    button(page, "Paint").click()
    expect(page.get_by_alt_text("The picture so far")).to_be_visible()
    assert page.evaluate(BARE) == []
    button(page, "Stop and keep the picture").click()
    button(page, "Open").click(timeout=LONG)
    expect(page.get_by_alt_text("The result").first).to_be_visible()
    assert page.evaluate(BARE) == []
    page.get_by_role("tab", name="Timeline").click()
    settled(page)
    assert page.evaluate(BARE) == []
    page.get_by_role("link", name="Gallery").click()
    expect(page.get_by_text("1 result", exact=True)).to_be_visible()
    assert page.evaluate(BARE) == []
