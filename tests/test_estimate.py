"""Estimates: time and memory against what was measured, what must only ever grow, learning from runs, bad files."""

import json
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tensorflow  # noqa: F401  so that no estimate in this process counts its start
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nst import estimate as module
from nst import weights
from nst.budget import is_large
from nst.config import Settings, preset
from nst.errors import ImageError, SettingsError
from nst.estimate import (
    BY_ANOTHER,
    BY_ARITHMETIC,
    IMPORT_SECONDS,
    KEPT,
    SIZE_STEP,
    Machine,
    arithmetic_rate,
    available_bytes,
    estimate,
    forget_peak,
    group_free,
    process_peak,
)
from nst.flops import evaluation_flops
from nst.image import fitted_size
from nst.precision import quicker
from nst.result import LossRow
from nst.scales import plan
from nst.tiles import way

MEASURED = json.loads((Path(__file__).parents[1] / "benchmarks" / "results" / "memory.json").read_text())["figures"]
NETWORKS = ("vgg19", "builtin")
PHOTOGRAPH = (1024, 768)
PLENTY = 10**15
LONG = preset("studio").replace(
    size=256, scales=2, iterations=1000, coarse_iterations=100, early_iterations=0, plateau=0.0
)
"""So many evaluations that little else counts."""


@pytest.fixture
def machine(tmp_path):
    return Machine.load(tmp_path / "machine.json")


def told(settings, machine, *, size=PHOTOGRAPH, network="vgg19", styles=1, available=PLENTY):
    return estimate(settings, size, network=network, styles=styles, machine=machine, available=available)


def run(paces, *, size=(256, 192), first=1.0, totals=None, shrinks=None):
    """A history whose evaluations take `paces`, a list of seconds for every scale; the first of each takes `first`.

    Each scale is half the next in size, or the full size divided by one of `shrinks`.
    """
    rows, now = [], 0.0
    for scale, seconds in enumerate(paces):
        shrink = shrinks[scale] if shrinks else 2 ** (len(paces) - 1 - scale)
        for number, pace in enumerate(seconds):
            now += first if number == 0 else pace
            total = totals[len(rows)] if totals else 1.0 / (len(rows) + 1)
            losses = (total, total / 2, total / 2, 0.0)
            rows.append(LossRow(len(rows) + 1, scale, size[0] // shrink, size[1] // shrink, now, *losses))
    return tuple(rows)


def learn(machine, paces, *, settings=LONG, network="vgg19", device="CPU", done=1000.0, peak_bytes=None, **options):
    machine.learn(
        network=network,
        device=device,
        history=run(paces, **options),
        settings=settings,
        full_size_evaluations=done,
        peak_bytes=peak_bytes,
    )


# What there is to do --------------------------------------------------------------------------------------------------


def test_an_evaluation_of_vgg19_costs_379_gflop_at_512_pixels():
    assert evaluation_flops(Settings(), 512 * 512, network="vgg19") == pytest.approx(379e9, rel=0.002)


@pytest.mark.parametrize("network", [pytest.param("vgg19", marks=pytest.mark.weights), "builtin"])
def test_flop_are_those_of_the_networks_own_filters(network, vgg19_path):
    filters = (weights.builtin() if network == "builtin" else weights.read(vgg19_path)).filters
    settings = Settings(style_layers=(("block4_conv3", 1.0),), content_layers=(("block2_conv1", 1.0),))
    deepest = list(filters).index("block4_conv3")
    sizes = [(kernel.size, int(name[5])) for name, (kernel, _) in list(filters.items())[: deepest + 1]]
    forward = sum(2 * size * 640 * 480 / 4 ** (block - 1) for size, block in sizes)
    assert evaluation_flops(settings, 640 * 480, network=network) == pytest.approx(2 * forward)


def test_the_scales_are_those_that_the_engine_paints(narrow, picture, machine):
    from nst import engine

    settings = preset("draft").replace(size=140, scales=3, coarse_iterations=5, iterations=6)
    result = engine.stylize(picture(150, 101), [picture(40, 40)], settings, network=narrow)
    painted = list(dict.fromkeys((row.width, row.height) for row in result.history))
    assert [scale.size for scale in plan(fitted_size(150, 101, 140), settings)] == painted == [(70, 47), (140, 94)]
    machine.learn(
        network=result.network.name,
        device=result.versions["device"],
        history=result.history,
        settings=result.settings,
        full_size_evaluations=result.full_size_evaluations,
        peak_bytes=process_peak(),
    )
    assert told(settings, machine, network="builtin").basis == "measured on this computer in 1 run"


def test_mixed_precision_counts_as_quicker_where_it_is(machine):
    full, mixed, left_open = (
        told(LONG.replace(precision=precision), machine).seconds for precision in ("float32", "mixed", "auto")
    )
    if quicker() == "mixed":
        assert 0.5 * full < mixed == left_open < 0.7 * full
    else:
        assert mixed == left_open == full


def test_a_picture_in_tiles_is_foreseen_to_take_longer_for_its_pixels(machine):
    untiled, tiled = (told(LONG.replace(size=size, scales=1), machine).seconds / size**2 for size in (880, 2048))
    assert 1.6 * untiled < tiled < 2 * untiled


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", MEASURED, ids=lambda row: f"{row['network']}-{row['settings']['size']}")
def test_peaks_are_near_those_measured(row, machine):
    settings = Settings.from_dict(row["settings"])
    found = told(settings, machine, size=tuple(row["content"]), network=row["network"]).peak_bytes
    if settings.style_scale == 1:
        assert found == pytest.approx(row["peak_bytes"], rel=0.06)
    else:  # the style's shape is not told, so that it may only come out too large
        assert row["peak_bytes"] < found < 1.15 * row["peak_bytes"]


@pytest.mark.parametrize("network", NETWORKS)
def test_memory_above_that_of_tensorflow_is_within_a_fifth_of_that_measured(network, machine):
    """At full size the feature maps are what counts; a large base must not hide an error in them."""
    rows = [row for row in MEASURED if row["network"] == network and row["settings"]["style_scale"] == 1]
    for row in [row for row in rows if row["settings"]["size"] >= 512]:
        found = told(Settings.from_dict(row["settings"]), machine, size=tuple(row["content"]), network=network)
        assert found.peak_bytes - row["base_bytes"] == pytest.approx(row["peak_bytes"] - row["base_bytes"], rel=0.2)


def test_content_targets_in_the_first_blocks_are_held_whole(machine):
    """Blocks taken in strips hold what they pool, but not where a content layer is one of them (`nst.segments`)."""
    settings = preset("studio").replace(size=1024, precision="float32")
    deep, second, both = (
        told(settings.replace(content_layers=[(layer, 1.0) for layer in layers]), machine).peak_bytes
        for layers in (["block4_conv2"], ["block4_conv2", "block2_conv2"], ["block2_conv2", "block1_conv2"])
    )
    pixels = 1024 * 768
    # From block 2 on 182 channels a pixel, with what block 1 pools; in strips fewer than the 128 of block 1 on its way.
    assert second - deep == pytest.approx(1.48 * (182 - 128) * 4 * pixels, rel=0.01)
    assert both - second == pytest.approx(1.48 * (64 + 64 - 64 / 4 * 1.25) * 4 * pixels, rel=0.01)


def test_what_this_process_holds_counts_as_available():
    before = available_bytes()
    held = np.ones(50_000_000, np.float32)
    assert before > held.nbytes
    assert available_bytes() > held.nbytes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep one peak for the whole process")
def test_the_peak_is_that_since_it_was_forgotten():
    forget_peak()
    before = process_peak()
    held = np.ones(100_000_000, np.float32)
    after = process_peak()
    assert after > before + 0.9 * held.nbytes
    del held
    forget_peak()
    assert process_peak() < after - 200_000_000


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize("path", ["/", "/app.slice/nst"])
def test_the_tightest_control_group_is_the_limit(tmp_path, path):
    root = tmp_path / "cgroup"
    group(root, memory__max="8000\n", memory__current="3000\n", memory__stat="anon 1\ninactive_file 500\n")
    group(root / "app.slice", memory__max="4000\n", memory__current="1000\n", memory__stat="")
    group(root / "app.slice" / "nst", memory__max="max\n", memory__current="900\n")
    (tmp_path / "membership").write_text(f"0::{path}\n")
    assert group_free(root, tmp_path / "membership") == (5500 if path == "/" else 3000)


def test_a_control_group_of_the_first_version_limits_too(tmp_path):
    files = {"memory__limit_in_bytes": "7000\n", "memory__usage_in_bytes": "5000\n"}
    group(tmp_path / "cgroup" / "memory", **files, memory__stat="inactive_file 1\ntotal_inactive_file 100\n")
    (tmp_path / "membership").write_text("5:cpu,cpuacct:/x\n4:memory:/docker/abc\n")
    assert group_free(tmp_path / "cgroup", tmp_path / "membership") == 2100


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert group_free(tmp_path, tmp_path / "nothing") == float("inf")
    (tmp_path / "membership").write_text("0::/\n")
    assert group_free(tmp_path, tmp_path / "membership") == float("inf")


# What only ever grows -------------------------------------------------------------------------------------------------


@st.composite
def cases(draw):
    optimizer = draw(st.sampled_from(["lbfgs", "adam"]))
    settings = preset(draw(st.sampled_from(["draft", "studio"]))).with_optimizer(optimizer)
    changes = {
        "size": draw(st.integers(64, 2048)),
        "side": draw(st.sampled_from(["longest", "height"])),
        "scales": draw(st.integers(1, 4)),
        "coarse_iterations": draw(st.integers(0, 300)),
        "iterations": draw(st.integers(1, 600)),
        "plateau": draw(st.sampled_from([0.0, 0.003, 0.1])),
        "history": draw(st.integers(1, 200)),
        "style_scale": draw(st.sampled_from([0.5, 1.0, 2.0])),
    }
    width = draw(st.integers(300, 4000))
    return (
        settings.replace(**changes),
        (width, round(width * draw(st.floats(0.4, 2.5)))),
        draw(st.sampled_from(NETWORKS)),
    )


@st.composite
def machines(draw):
    """With up to three runs behind it, at paces that make little sense."""
    found = Machine(Path(__file__) / "machine.json")  # where nothing can be written
    for network in draw(st.lists(st.sampled_from(NETWORKS), max_size=3)):
        paces = [[draw(st.floats(1e-3, 10))] * 12 for _ in range(draw(st.integers(1, 3)))]
        settings = LONG.replace(plateau=0.003, iterations=12)
        learn(found, paces, settings=settings, network=network, done=draw(st.floats(1, 50)), size=(256, 256))
    return found


@hypothesis_settings(max_examples=60, deadline=None)
@given(cases(), machines(), st.integers(1, 7), st.data())
def test_more_pixels_steps_or_styles_never_take_less(case, machine, styles, data):
    settings, size, network = case
    more = [
        (settings.replace(size=settings.size + data.draw(st.integers(1, 600))), styles),
        (settings.replace(iterations=settings.iterations + data.draw(st.integers(1, 600))), styles),
        (settings, styles + 1),
    ]
    base = told(settings, machine, size=size, network=network, styles=styles)
    for larger, count in more:
        found = told(larger, machine, size=size, network=network, styles=count)
        assert found.seconds >= base.seconds > 0
        if _ways(larger, size) == _ways(settings, size):  # smaller tiles take less
            assert found.peak_bytes >= base.peak_bytes > 0


def _ways(settings, size):
    full = fitted_size(*size, settings.size, settings.side)
    style = round(max(full) * settings.style_scale)
    pixels = full[0] * full[1]
    return way(pixels), is_large(*full), way(style**2, pixels)


@hypothesis_settings(max_examples=60, deadline=None)
@given(cases(), machines(), st.integers(6 * 10**8, 10**11))
def test_the_largest_size_fits_and_no_larger_one_does(case, machine, available):
    settings, size, network = case
    found = told(settings, machine, size=size, network=network, available=available).largest_size

    def fits(side):
        try:
            return told(settings.replace(size=side), machine, size=size, network=network, available=available).fits
        except (ImageError, SettingsError):  # larger than any picture may be
            return False

    assert found is None or (found % SIZE_STEP == 0 and fits(found))
    assert not any(fits(side) for side in range((found or 256 - SIZE_STEP) + SIZE_STEP, 4097, 32 * SIZE_STEP))
    assert not fits((found or 256 - SIZE_STEP) + SIZE_STEP)


def test_where_little_memory_is_free_no_size_fits(machine):
    found = told(preset("draft"), machine, network="builtin", available=10**8)
    assert (found.fits, found.largest_size, found.available_bytes) == (False, None, 10**8)


def test_a_picture_fits_only_with_a_margin(machine):
    peak = told(preset("studio"), machine).peak_bytes
    assert told(preset("studio"), machine, available=round(1.101 * peak)).fits
    assert not told(preset("studio"), machine, available=round(1.099 * peak)).fits


def test_the_real_memory_is_asked_where_none_is_given(machine):
    found = estimate(preset("draft").replace(size=256), PHOTOGRAPH, network="builtin", styles=1, machine=machine)
    assert found.available_bytes == pytest.approx(available_bytes(), rel=0.5)


@pytest.mark.parametrize("styles", [0, 9])
def test_too_few_and_too_many_styles_are_refused(machine, styles):
    with pytest.raises(SettingsError, match=f"Received: {styles}"):
        told(preset("draft"), machine, styles=styles)


def test_a_photograph_too_thin_is_refused_as_by_the_engine(machine):
    with pytest.raises(ImageError, match="too thin"):
        told(preset("draft"), machine, size=(4000, 100))


# Learning -------------------------------------------------------------------------------------------------------------


def paces_of(machine, *, times=1.0, counts=(20, 20), network="vgg19"):
    """Seconds of evaluations at the scales of `LONG`, so many times what the machine foresees."""
    pixels = (128 * 96, 256 * 192)
    past = machine.past(network)
    works = [module._work(LONG, area, count, network) for area, count in zip(pixels, counts, strict=True)]
    return [[times * past.pace(work)] * count for work, count in zip(works, counts, strict=True)]


@pytest.mark.parametrize("times", [0.5, 2.0, 30.0])
def test_after_a_run_the_estimate_follows_its_pace(machine, times):
    before = told(LONG, machine)
    assert before.basis == BY_ARITHMETIC
    learn(machine, paces_of(machine, times=times))
    after = told(LONG, machine)
    assert after.seconds == pytest.approx(times * before.seconds, rel=0.1)
    assert after.basis == "measured on this computer in 1 run"


def test_a_pace_holds_for_sizes_that_were_never_painted(machine):
    sizes = (192, 1024)
    before = [told(LONG.replace(size=size), machine).seconds for size in sizes]
    learn(machine, paces_of(machine, times=3.0))
    after = [told(LONG.replace(size=size), machine).seconds for size in sizes]
    assert after == pytest.approx([3 * seconds for seconds in before], rel=0.25)


def test_a_larger_size_is_never_foreseen_to_be_quicker_whatever_was_measured(machine):
    learn(machine, [[10.0] * 12, [0.1] * 12])
    seconds = [told(LONG.replace(scales=1, size=size), machine).seconds for size in (128, 192, 256, 320)]
    assert seconds == sorted(seconds)


def test_one_strange_run_among_several_changes_little(machine):
    paces = paces_of(machine)
    for _ in range(4):
        learn(machine, paces)
    before = told(LONG, machine).seconds
    learn(machine, [[50 * pace for pace in scale] for scale in paces])
    assert told(LONG, machine).seconds == pytest.approx(before, rel=0.01)


def test_old_runs_are_forgotten(machine):
    paces = paces_of(machine)
    for times in [9] * KEPT + [1] * KEPT:
        learn(machine, [[times * pace for pace in scale] for scale in paces])
    found = told(LONG, machine)
    assert found.basis == f"measured on this computer in {KEPT} runs"
    learn(machine, paces)
    assert told(LONG, machine).seconds == pytest.approx(found.seconds, rel=0.01)


def test_the_first_evaluation_of_a_scale_says_nothing_of_its_pace(machine, tmp_path):
    other = Machine.load(tmp_path / "other.json")
    uneven = [[pace, pace, pace, 10 * pace, 10 * pace] for (pace, *_) in paces_of(machine)]
    learn(machine, uneven, first=0.0)
    learn(other, uneven, first=100.0)
    seconds = [told(LONG, one).seconds for one in (machine, other)]
    assert seconds[1] - seconds[0] == pytest.approx(100, rel=0.2)  # it is the start that takes longer, once


def test_runs_of_fewer_than_five_evaluations_tell_nothing(machine):
    learn(machine, [[1.0] * 4])
    assert told(LONG, machine).basis == BY_ARITHMETIC


@pytest.mark.parametrize("pace", [float("nan"), float("inf"), -1.0, 0.0, 1e9])
def test_paces_beyond_belief_are_not_learnt(machine, pace):
    learn(machine, [[pace] * 10])
    learn(machine, [[1.0] * 10], size=(0, 0))
    assert told(LONG, machine).basis == BY_ARITHMETIC


def test_the_latest_device_is_the_one_to_foresee(machine):
    paces = paces_of(machine)
    learn(machine, paces)
    slow = told(LONG, machine).seconds
    learn(machine, [[pace / 50 for pace in scale] for scale in paces], device="NVIDIA H200")
    assert told(LONG, machine).seconds < slow / 20
    assert told(LONG, machine).basis == "measured on this computer in 1 run"


def test_a_network_without_runs_learns_from_another(machine):
    before = told(LONG, machine, network="builtin").seconds
    learn(machine, paces_of(machine, times=4.0), network="vgg19")
    found = told(LONG, machine, network="builtin")
    assert found.basis == BY_ANOTHER
    assert found.seconds == pytest.approx(4 * before, rel=0.35)  # an evaluation's fixed cost was not four times larger


def test_memory_follows_what_was_measured(machine):
    sizes = (256, 1024)
    before = [told(LONG.replace(size=size), machine).peak_bytes for size in sizes]
    learn(machine, paces_of(machine), peak_bytes=before[0] + 300_000_000)  # what a dashboard holds, say
    after = [told(LONG.replace(size=size), machine).peak_bytes for size in sizes]
    assert after == pytest.approx([bytes_ + 300_000_000 for bytes_ in before], rel=0.03)
    for _ in range(3):
        learn(machine, paces_of(machine), peak_bytes=1)
    assert told(LONG, machine).peak_bytes == pytest.approx(0.5 * before[0], rel=0.03)


EARLY = LONG.replace(scales=1, iterations=100, plateau=0.01)


def test_runs_that_stop_early_make_the_next_estimate_shorter(machine):
    learn(machine, [[0.5] * 40], settings=EARLY.replace(iterations=40), done=40.0)
    before = told(EARLY, machine).seconds
    flat = [1 / (1 + number) for number in range(30)] + [1 / 30] * 10
    for _ in range(3):
        learn(machine, [[0.5] * 40], settings=EARLY, done=40.0, totals=flat)
    assert told(EARLY, machine).seconds == pytest.approx(0.4 * before, rel=0.1)


def test_cancelled_runs_say_nothing_about_stopping_early(machine):
    learn(machine, [[0.5] * 40], settings=EARLY.replace(iterations=40), done=40.0)
    before = told(EARLY, machine).seconds
    for _ in range(5):
        learn(machine, [[0.5] * 40], settings=EARLY, done=40.0)  # the loss was falling still
        learn(machine, [[0.5] * 40], settings=EARLY.replace(size=512, iterations=40), done=10.0)  # at a coarser scale
    assert told(EARLY, machine).seconds == pytest.approx(before, rel=0.01)


# Early evaluations ----------------------------------------------------------------------------------------------------

QUICK = LONG.replace(early_iterations=400, iterations=600, coarse_iterations=0)


def test_early_evaluations_are_foreseen_at_a_quarter(machine):
    early = QUICK.replace(precision="float32")  # in which less of an evaluation's time is the same for both
    whole = early.replace(early_iterations=0)
    seconds = [told(settings, machine).seconds for settings in (whole, early, whole.replace(iterations=1000))]
    assert 0.2 < (seconds[1] - seconds[0]) / (seconds[2] - seconds[0]) < 0.35


@pytest.mark.parametrize("paces", [[[0.1] * 40, [0.5] * 40], [[0.5] * 10, [0.1] * 40, [0.5] * 40]])
def test_early_evaluations_say_nothing_about_the_networks_own(machine, paces):
    learn(machine, [[0.5] * 40], settings=QUICK.replace(early_iterations=0))
    before = told(LONG, machine).seconds
    for _ in range(5):
        learn(machine, paces, settings=QUICK, shrinks=[2, 1, 1][-len(paces) :])
        learn(machine, [[0.1] * 40], settings=QUICK)  # stopped before the network's own
    assert told(LONG, machine).seconds == pytest.approx(before, rel=0.25)


# The file -------------------------------------------------------------------------------------------------------------


def test_what_was_learnt_outlives_the_process(machine, tmp_path):
    learn(machine, paces_of(machine, times=2.5), peak_bytes=2 * 10**9)
    found = told(LONG, Machine.load(tmp_path / "machine.json"))
    assert found == told(LONG, machine)
    assert found.basis == "measured on this computer in 1 run"


def test_the_arithmetic_rate_is_kept(machine, tmp_path):
    told(LONG, machine)
    assert json.loads((tmp_path / "machine.json").read_text())["rate"] == arithmetic_rate() > 1e8


def test_many_threads_may_learn_at_once(machine, tmp_path):
    paces = paces_of(machine)
    threads = [threading.Thread(target=lambda: [learn(machine, paces) for _ in range(4)]) for _ in range(5)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    for one in (machine, Machine.load(tmp_path / "machine.json")):
        assert told(LONG, one).basis == "measured on this computer in 20 runs"


def test_a_file_that_cannot_be_written_is_no_fault_of_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    machine = Machine.load(tmp_path / "file" / "machine.json")
    learn(machine, [[1.0] * 10])
    assert told(LONG, machine).basis == "measured on this computer in 1 run"


def whole_file(folder):
    machine = Machine.load(folder / "whole.json")
    learn(machine, [[0.1] * 10, [0.4] * 10], peak_bytes=10**9)
    return (folder / "whole.json").read_bytes()


def hostile(data):
    """The sound file's data, each time with something else wrong with it."""
    sound = data["runs"][0]
    for name, values in {
        "paces": [[], [[1e9, "1"]], [[1e9]], [[1e9, 1, 2]], [[0, 1]], [[1e9, -1]], [[1e9, 1e300]], [[1e9, 1]] * 21, 5],
        "start": [None, -1, 1e9, "1", float("nan"), True, 10**400],
        "share": [0, 1e9, "1", float("inf")],
        "more_bytes": ["1", 1e15, -1e15, float("nan"), [], {}],
        "network": ["", "x" * 201, None, {}],
        "device": [7, "x" * 201],
    }.items():
        yield from ({**data, "runs": [{**sound, name: value}]} for value in values)
    yield from ({**data, "runs": runs} for runs in [None, 3, "run", [[]], [None], [{}], [{**sound, "more": 1}]])
    yield from ({**data, "rate": rate} for rate in ["fast", 0, -1.0, float("nan"), 1e300, []])
    yield from ({**data, "computer": "another"}, {}, [], None, 7, "text")


def test_hostile_files_count_as_no_measurements(tmp_path):
    data = json.loads(whole_file(tmp_path))
    for wrong in hostile(data):
        (tmp_path / "machine.json").write_text(json.dumps(wrong))
        found = told(LONG, Machine.load(tmp_path / "machine.json"))
        assert found.basis == BY_ARITHMETIC, wrong
        assert 0 < found.seconds < 1e6


def test_a_file_cut_short_anywhere_counts_as_no_measurements(tmp_path):
    whole = whole_file(tmp_path)
    for end in range(0, len(whole) - 1, 23):
        (tmp_path / "cut.json").write_bytes(whole[:end])
        assert Machine.load(tmp_path / "cut.json").past("vgg19").basis == BY_ARITHMETIC


@pytest.mark.parametrize("data", [b"\xff\x00", b"[" * 100_000, b"9" * 10_000, b'{"runs": ' + b" " * 2_000_000 + b"[]}"])
def test_bytes_that_are_no_json_count_as_no_measurements(tmp_path, data):
    (tmp_path / "machine.json").write_bytes(data)
    assert told(LONG, Machine.load(tmp_path / "machine.json")).basis == BY_ARITHMETIC


def test_a_folder_in_place_of_the_file_is_survived(tmp_path):
    machine = Machine.load(tmp_path)
    learn(machine, [[1.0] * 10])
    assert told(LONG, machine).basis == "measured on this computer in 1 run"


# TensorFlow -----------------------------------------------------------------------------------------------------------

ASK = """
import sys
from nst.config import preset
from nst.estimate import Machine, estimate
found = estimate(preset("draft"), (1024, 768), network="vgg19", styles=1, machine=Machine.load(sys.argv[1]))
assert not {"tensorflow", "keras", "streamlit"} & set(sys.modules)
print(found.seconds)
"""


def test_an_estimate_loads_no_tensorflow_and_counts_its_start(machine, tmp_path):
    learn(machine, [[0.1] * 10, [0.4] * 10])
    command = [sys.executable, "-c", ASK, str(tmp_path / "machine.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    warm = told(preset("draft"), machine).seconds
    assert float(done.stdout) - warm == pytest.approx(IMPORT_SECONDS)


def test_rates_of_arithmetic_are_measured_once():
    assert all(a == b for a, b in pairwise(arithmetic_rate() for _ in range(3)))
