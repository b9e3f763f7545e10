"""What the tests of the pages share: pictures, and what a page says."""

import json
import re
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from nst import image
from nst.config import PRESETS, preset
from nst.gallery import Gallery
from nst.jobs import JobManager
from tests.conftest import draw
from tests.test_gallery import add, result

PROJECT = Path(__file__).parents[2]
ROUTER = str(PROJECT / "nst" / "dashboard" / "router.py")
PHOTOGRAPH = image.encode_png(draw(40, 20, seed=1))  # wide: few pixels at a size that a page offers
STYLES = [image.encode_png(draw(30, 30, seed=seed)) for seed in range(2, 12)]

HOSTILE = "![x](evil.png) <b>*bold* :red[boo] `code` $x^2$ [click](javascript:alert(1)) ~~no~~ # _em_"
PARSED = ("![", "](", "<b", "*bold", ":red", "`", "$", "~", "# ", "_em_")
"""Pieces of it that Markdown would act upon where they are not escaped."""


def shown(at: AppTest) -> AppTest:
    """A page that has run without an exception."""
    assert [error.value for error in at.exception] == []
    return at


def visit(at: AppTest, page: str, **query: str) -> AppTest:
    at.switch_page(f"{page}.py")
    for name, value in query.items():
        at.query_params[name] = value
    return shown(at.run())


def upload(at: AppTest, styles: int = 1, photograph: str = "tubingen.png", style: str = "style {}.png") -> AppTest:
    uploader(at, "photograph").upload(photograph, PHOTOGRAPH, "image/png")
    files = [(style.replace("{}", str(i)), STYLES[i], "image/png") for i in range(styles)]
    uploader(at, "style").set_value(files)
    return shown(at.run())


def uploader(at: AppTest, what: str) -> Any:
    """The place to drop a photograph or styles; it is a new one after each upload."""
    return next(found for found in at.file_uploader if found.key.startswith(f"{what}_upload"))


def press(at: AppTest, key: str, card: str) -> AppTest:
    """Press a card of a shelf as the browser does; AppTest knows no components of one's own."""
    found = next(node.proto for node in at.get("bidi_component") if f"-{key}" in node.proto.id)
    states = at._tree.get_widget_states()
    pressed = states.widgets.add()
    pressed.id = f"$$STREAMLIT_INTERNAL_KEY_{found.id}__events"
    heard = json.loads(found.json)["heard"]
    pressed.json_trigger_value = json.dumps([{"event": "picked", "value": [{"number": heard + 1, "id": card}]}])
    return shown(at._run(states))


def paint(at: AppTest) -> AppTest:
    return shown(at.button("paint").click().run())


def changed(jobs: JobManager, name: str) -> dict:
    """What the newest job's settings have that the preset has not."""
    settings = jobs.snapshots()[0].order.settings.to_dict()
    plain = preset(name).to_dict()
    return {name: value for name, value in settings.items() if value != plain[name]}


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def texts(at: AppTest) -> str:
    """Everything a page says, as Markdown sees it."""
    kinds = ("title", "header", "subheader", "caption", "markdown", "error", "warning", "info", "success", "toast")
    told = [element.value for kind in kinds for element in getattr(at, kind)]
    widgets = ("button", "slider", "select_slider", "number_input", "selectbox", "text_input", "expander")
    told += [widget.label for kind in widgets for widget in getattr(at, kind)]
    told += [part for metric in at.metric for part in (metric.label, str(metric.value))]
    told += [progress.proto.text for progress in at.get("progress")]
    return "\n".join(told)


def said(at: AppTest) -> str:
    """The same without the escapes, and with what is shown as plain text."""
    return re.sub(r"\\(.)", r"\1", texts(at)) + "\n" + "\n".join(text.value for text in at.text)


def check_escaped(at: AppTest) -> None:
    """The page shows the hostile name, and nowhere as Markdown."""
    assert "bold" in said(at)
    lines = [re.sub(r"\\.", "", line) for line in texts(at).splitlines() if "bold" in line or "boo" in line]
    assert [piece for line in lines for piece in PARSED if piece in line] == []


def choose_preset(at: AppTest, name: str) -> AppTest:
    everyday = PRESETS[name].settings.strength is not None
    shown(at.segmented_control("preset").set_value(name if everyday else "Classics").run())
    return at if everyday else shown(at.selectbox("classic").set_value(name).run())


def small(at: AppTest) -> AppTest:
    """The draft preset with few steps; sizes below 256 are not offered."""
    choose_preset(at, "draft")
    at.number_input("iterations_draft").set_value(1)
    at.number_input("scales_draft").set_value(1)
    return shown(at.run())


def hostile_entry(gallery: Gallery, preset_name: str = "studio") -> str:
    made = result(settings=preset("studio").replace(preset=preset_name), message=HOSTILE, versions={HOSTILE: HOSTILE})
    content = gallery.add_input(PHOTOGRAPH, HOSTILE)
    style = gallery.add_input(STYLES[0], HOSTILE)
    return add(gallery, HOSTILE, made, content=content, styles=[style]).id
