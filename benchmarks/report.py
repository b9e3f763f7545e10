"""The README's section on speed and size, and its plot, from what the other scripts measured.

python -m benchmarks.report

`tests/test_report.py` holds the README to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import pandas as pd

from benchmarks.common import RESULTS, ROOT

README, PLOT = ROOT / "README.md", ROOT / "docs" / "frontier.svg"
BEGIN, END = "<!-- written by python -m benchmarks.report -->", "<!-- end of what it wrote -->"
TITLES = {"starry_night": "The Starry Night", "the_scream": "The Scream", "shipwreck": "The Shipwreck"}
PROGRAMS = {"jcjohnson/neural-style": "neural-style", "ProGamerGov/neural-style-pt": "neural-style-pt"}
MIB = 2**20


def main() -> None:
    plot().save(PLOT)
    README.write_text(with_section(README.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written to {README.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}")


def with_section(readme: str) -> str:
    """The README with the section between its marks written anew; raises ValueError where the marks are not there."""
    pattern = re.compile(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", re.DOTALL)
    if len(pattern.findall(readme)) != 1:
        raise ValueError(f"The README must hold the marks {BEGIN!r} and {END!r} once, in this order.")
    return pattern.sub(lambda _: f"{BEGIN}\n{section()}\n{END}", readme)


def section() -> str:
    """Markdown."""
    return "\n\n".join([_beside_pytorch(), _frontier(), _large(), _soon()])


def figures(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())["figures"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *rows])


# Beside the classic program -----------------------------------------------------------------------------------------


def _beside_pytorch() -> str:
    found = figures("baseline")
    rows = [*_rows(found["pictures"], _picture), *_rows(found["evaluations"], _evaluation)]
    head = ("", "PyTorch", "here, float32", "here, mixed precision")
    return (
        "The same objective, the same score, on two cores without a graphics card, side by side with the classic "
        "program in PyTorch, in float32 (medians, but at 512 px, where whole pictures were painted once). Whole "
        f"pictures: {found['pictures_on']}; single evaluations: {found['evaluations_on']}. Either has instructions for "
        "bfloat16, which *mixed precision* is for.\n\n" + _table(head, rows)
    )


def _rows(found: list[dict[str, Any]], told: Any) -> Iterable[Sequence[str]]:
    """One for each size, from one record for each size and precision."""
    for size in sorted({row["size"] for row in found}):
        by_precision = {row["precision"]: row for row in found if row["size"] == size}
        yield told(size, by_precision["float32"], by_precision["mixed"])


def _picture(size: int, full: dict[str, Any], mixed: dict[str, Any]) -> Sequence[str]:
    name = f"{size} px, to the score of its {full['torch_evaluations']} evaluations (`neural-style-fast`)"
    ours = [f"{_seconds(row['nst_seconds'])}, {row['times_faster']:.1f} times faster" for row in (full, mixed)]
    return name, _seconds(full["torch_seconds"]), *ours


def _evaluation(size: int, full: dict[str, Any], mixed: dict[str, Any]) -> Sequence[str]:
    ours = [f"{_seconds(row['nst_seconds'])} ({row['nst_share']:.2f})" for row in (full, mixed)]
    return f"{size} px, one evaluation", _seconds(full["torch_seconds"]), *ours


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


# The frontier -------------------------------------------------------------------------------------------------------


def _frontier() -> str:
    found = figures("frontier")
    points = [point for pair in found for point in pair["ours"]]
    most = max(point["full_size_evaluations"] for point in points)
    better = [
        f"{TITLES[pair['style']]} at strength {_span(pair['better_than_both'])}"
        for pair in found
        if pair["better_than_both"]
    ]
    return (
        f"*Studio* at 512 px takes at most {most:.0f} evaluations' worth of work. Lower is better in both directions; "
        f"better than both programs' published examples in content and in style: {'; '.join(better)}.\n\n"
        "![Content against style over strength, beside two published examples](docs/frontier.svg)"
    )


def _span(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def plot() -> alt.ConcatChart:
    """Content against style, both logarithmic: a curve over strength for each pair, and the published examples."""
    return alt.hconcat(*(_panel(pair) for pair in figures("frontier"))).configure(background="white")


def _panel(pair: dict[str, Any]) -> alt.LayerChart:
    ours = pd.DataFrame(pair["ours"])
    theirs = pd.DataFrame([{"program": PROGRAMS[name]} | scores for name, scores in pair["published"].items()])
    x = alt.X("content:Q", scale=alt.Scale(type="log", nice=False, padding=20), title="content", axis=_axis())
    y = alt.Y("style:Q", scale=alt.Scale(type="log", nice=False, padding=20), title="style", axis=_axis())
    curve = alt.Chart(ours).mark_line(point=True, color="#2f6f8f").encode(x, y, order="strength:O")
    strengths = curve.mark_text(dx=11, dy=-9, fontSize=10, color="#2f6f8f").encode(text="strength:Q")
    dots = alt.Chart(theirs).mark_point(filled=True, size=90, color="#b3502d").encode(x, y)
    names = dots.mark_text(dy=-13, fontSize=10, color="#b3502d").encode(text="program:N")
    return alt.layer(curve, strengths, dots, names).properties(width=240, height=220, title=TITLES[pair["style"]])


def _axis() -> alt.Axis:
    return alt.Axis(format="~s", grid=True, gridOpacity=0.4, tickCount=5)


# Size, and the beginning --------------------------------------------------------------------------------------------


def _large() -> str:
    found = figures("large")
    head = ("picture", "precision", "evaluations", "peak memory", f"time a pixel, of {found['reference']}")
    return (
        "Large pictures are painted in tiles, exactly (in mixed precision: but for rounding) and in bounded memory, "
        "that of the whole process after so many evaluations at full size with VGG19, each of which L-BFGS remembers, "
        "as far as its share of the memory goes. Of 1024 px whole pictures of *Studio* were painted, from coarse to "
        "fine:\n\n"
        + _table(head, map(_size, found["evaluations"]))
        + "\n\nThe largest in mixed precision was painted to its end, from coarse to fine, in fewer evaluations than "
        "*Studio* makes; all of it, and a piece of it pixel by pixel:\n\n"
        "![A picture of 4096 × 3072 pixels, and a piece of it as it is](docs/large.jpg)"
    )


def _size(row: dict[str, Any]) -> Sequence[str]:
    picture, peak = f"{row['width']} × {row['height']}", f"{row['peak_bytes'] / MIB:.0f} MiB"
    return picture, row["precision"], str(row["evaluations"]), peak, f"{row['times']:.2f}"


def _soon() -> str:
    rows = {row["job"]: row["preview_seconds"] for row in figures("start")}
    first, second = rows["first of a server"], rows["second, same style"]
    card = figures("card")
    pictures = {row["precision"]: _seconds(row["seconds"]) for row in card["pictures"] if row["size"] == 512}
    return (
        f"On a graphics card ({card['card']}) *Studio* paints 512 px in {pictures['float32']}, in mixed precision in "
        f"{pictures['mixed']}, once the process has painted another picture.\n\n"
        f"A first preview is there {_seconds(first)} after the first order of a server, which loads TensorFlow, and "
        f"{_seconds(second)} after the next one in the same style. How all this was measured, and what was tried: "
        "[benchmarks/](benchmarks/README.md)."
    )


if __name__ == "__main__":
    main()
