"""The README says what was measured: its section on speed and size is the one that the figures give."""

from __future__ import annotations

import pytest

from benchmarks import report


def test_the_readme_tells_what_was_measured():
    readme = report.README.read_text(encoding="utf-8")
    assert report.with_section(readme) == readme, "Run: python -m benchmarks.report"


def test_only_what_stands_between_the_marks_is_written_anew():
    before = f"# Title\n\n{report.BEGIN}\nold\n{report.END}\n\nThe rest.\n"
    after = report.with_section(before)
    assert after.startswith(f"# Title\n\n{report.BEGIN}\n")
    assert after.endswith(f"{report.END}\n\nThe rest.\n")
    assert "old" not in after


@pytest.mark.parametrize("readme", ["", report.BEGIN, f"{report.END}\n{report.BEGIN}\n"])
def test_a_readme_without_the_marks_is_refused(readme):
    with pytest.raises(ValueError, match="marks"):
        report.with_section(readme)


def test_the_plot_holds_every_point_measured_and_published():
    drawn = report.plot().to_dict()
    for panel, pair in zip(drawn["hconcat"], report.figures("frontier"), strict=True):
        ours, _, theirs, _ = (drawn["datasets"][layer["data"]["name"]] for layer in panel["layer"])
        assert [(row["strength"], row["style"]) for row in ours] == [(p["strength"], p["style"]) for p in pair["ours"]]
        assert len(theirs) == len(pair["published"]) == 2
