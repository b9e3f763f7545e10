"""Tests of nst.advice: every sentence where it belongs, and silence everywhere else."""

import numpy as np
import pytest

from nst import engine
from nst.advice import after, before
from nst.config import Settings, preset
from nst.image import resize
from nst.result import Change, LossRow, NetworkInfo, Result, Status
from nst.weights import Network
from tests.conftest import draw

STUDIO = preset("studio")
COLOURFUL = draw(96, 72)
STYLE = draw(96, 72, 3)
NETWORK = NetworkInfo("builtin", "0" * 64, "made up")
NOTE = engine.NOT_FINITE


def rows(*scales: tuple[float, ...]) -> tuple[LossRow, ...]:
    """Losses of a run: the style losses of each scale in turn, each total twice as high."""
    told = [(scale, style) for scale, styles in enumerate(scales) for style in styles]
    return tuple(LossRow(n, scale, 96, 72, n, 2 * style, 0, style, 0) for n, (scale, style) in enumerate(told, start=1))


FALLING = rows((45.0, 20.0, 5.0), (22.0, 8.0, 2.0))


def result(
    picture: np.ndarray = COLOURFUL,
    *,
    history: tuple[LossRow, ...] = FALLING,
    settings: Settings = STUDIO,
    status: Status = Status.FINISHED,
    message: str = "All steps were taken.",
    notes: tuple[str, ...] = (),
    changes: tuple[Change, ...] = (),
) -> Result:
    return Result(
        picture=picture,
        status=status,
        message=message,
        history=history,
        settings=settings,
        network=NETWORK,
        versions={},
        seconds=1.0,
        evaluations=len(history),
        full_size_evaluations=float(len(history)),
        notes=notes,
        changes=changes,
    )


def advice(*args: object, content: np.ndarray = COLOURFUL, style: np.ndarray = STYLE, **kwargs: object) -> str:
    """All that is said afterwards, in one string."""
    return " ".join(after(result=result(*args, **kwargs), content=content, styles=[style]))


# Before ----------------------------------------------------------------------------------------------------------


def test_a_small_style_is_told_with_the_size_and_strokes_that_suit_it() -> None:
    (words,) = before(settings=STUDIO, size=(512, 384), styles=[(256, 200)])
    assert words.startswith("The style picture is small and will be enlarged 2.0 times")
    assert "256 × 200 pixels and is shown 512 px" in words
    assert words.endswith(
        "Take a larger copy of it, or choose a size of at most 256 px, or a stroke size of at most 50 %."
    )


def test_what_is_advised_before_ends_the_advice() -> None:
    styles = [(300, 170)]
    assert before(settings=STUDIO, size=(512, 384), styles=styles)
    assert not before(settings=STUDIO.replace(size=300), size=(300, 225), styles=styles)
    assert not before(settings=STUDIO.replace(style_scale=0.58), size=(512, 384), styles=styles)
    assert not before(settings=STUDIO, size=(512, 384), styles=[(640, 360)])


@pytest.mark.parametrize("style", [(512, 300), (300, 512), (420, 300), (4000, 3000)])
def test_a_style_large_enough_is_not_mentioned(style: tuple[int, int]) -> None:
    assert before(settings=STUDIO, size=(512, 384), styles=[style]) == ()


def test_strokes_count_in_what_is_large_enough() -> None:
    assert before(settings=STUDIO.replace(style_scale=2.0), size=(512, 384), styles=[(640, 480)])
    assert not before(settings=STUDIO.replace(style_scale=0.5), size=(512, 384), styles=[(256, 200)])


def test_the_size_that_is_advised_is_of_the_side_that_the_settings_name() -> None:
    settings = STUDIO.replace(size=400, side="height")
    (words,) = before(settings=settings, size=(800, 400), styles=[(400, 300)])
    assert "a size of at most 200 px" in words


def test_of_several_styles_the_small_one_is_named() -> None:
    (words,) = before(settings=STUDIO, size=(512, 384), styles=[(900, 800), (200, 200)])
    assert words.startswith("Style picture 2 is small")


def test_sizes_and_strokes_that_cannot_be_chosen_are_not_advised() -> None:
    (words,) = before(settings=STUDIO.replace(size=8192), size=(8192, 6144), styles=[(30, 30)])
    assert words.endswith("Take a larger copy of it.")


# A loss that was no number ---------------------------------------------------------------------------------------


def test_a_recovery_from_nan_is_told() -> None:
    words = advice(notes=("Something else.", NOTE))
    assert "halved the step" in words
    assert "lower the learning rate or the weights" in words


def test_other_notes_say_nothing_of_nan() -> None:
    assert advice(notes=("Something else.",)) == ""


def test_a_run_that_failed_of_nan_is_not_told_twice() -> None:
    message = "The losses were not finite. Lower the learning rate or the weights and try again."
    assert advice(notes=(NOTE,), status=Status.FAILED, message=message) == ""


# A style that was not taken on -----------------------------------------------------------------------------------


def test_a_good_run_gets_no_advice() -> None:
    assert advice() == ""


@pytest.mark.parametrize(
    "history", [rows((45.0, 44.0, 40.0)), rows((45.0, 44.0), (59.0, 50.0, 44.0)), rows((20.0, 19.0))]
)
@pytest.mark.parametrize("status", [Status.FINISHED, Status.CONVERGED])
def test_a_style_loss_that_hardly_fell_is_told(history: tuple[LossRow, ...], status: Status) -> None:
    words = advice(history=history, status=status)
    assert words.startswith("The picture hardly took on the style")
    assert words.endswith("Allow more iterations, or raise the strength.")


FLAT = rows((45.0, 44.0, 43.0))


@pytest.mark.parametrize(
    "case",
    [
        {"history": rows((45.0, 35.0))},
        {"history": rows((45.0, 5.0), (8.0, 7.0)), "reason": "in style already"},
        {"history": rows((0.0, 0.0))},
        {"history": ()},
        {"history": FLAT, "status": Status.CANCELLED},
        {"history": FLAT, "status": Status.FAILED},
        {"history": rows((4.4, 4.4)), "settings": STUDIO.replace(strength=15.0)},
        {"history": rows((8.0, 7.5)), "settings": STUDIO.replace(init="picture")},
        {
            "history": FLAT,
            "changes": (Change(evaluation=2, scale=0, before={"strength": 20.0}, after={"strength": 50.0}),),
        },
    ],
    ids=str,
)
def test_a_style_loss_that_need_not_fall_is_not_mentioned(case: dict) -> None:
    case = {name: value for name, value in case.items() if name != "reason"}
    assert advice(**case) == ""


def test_changes_of_other_settings_do_not_silence_it() -> None:
    assert "hardly took on" in advice(
        history=FLAT, changes=(Change(evaluation=2, scale=0, before={"iterations": 5}, after={"iterations": 9}),)
    )
    earlier = (Change(evaluation=1, scale=0, before={"strength": 20.0}, after={"strength": 50.0}),)
    assert "hardly took on" in advice(history=rows((45.0,), (45.0, 44.0)), changes=earlier)


def test_what_to_change_depends_on_the_settings() -> None:
    settings = STUDIO.with_optimizer("adam").replace(style_weight=45.0, content_weight=10.0)
    words = advice(history=rows((45.0,) * 50), settings=settings)
    assert words.endswith("Raise the style weight, or lower the content weight, or choose L-BFGS as the optimiser.")


def test_other_formulas_are_judged_by_where_the_last_scale_began() -> None:
    settings = preset("neural-style")
    assert "raise the style weight" in advice(history=rows((9e6, 8.9e6)), settings=settings)
    for healthy in (rows((9e6, 2e6)), rows((0.0, 0.0))):
        assert advice(history=healthy, settings=settings) == ""
    assert advice(history=rows((9e6, 8.9e6)), settings=settings.replace(init="picture")) == ""


def test_real_runs_are_told_apart(narrow: Network) -> None:
    settings = preset("draft").replace(size=64, iterations=12, coarse_iterations=0)
    content, style = draw(64, 48, 0), draw(64, 48, 7)
    done = engine.stylize(content, [style], settings, network=narrow)
    assert after(result=done, content=content, styles=[style]) == ()
    heavy = engine.stylize(content, [style], settings.replace(content_weight=1e7), network=narrow)
    (words,) = after(result=heavy, content=content, styles=[style])
    assert "lower the content weight" in words


# Grey patches ----------------------------------------------------------------------------------------------------


def patched(picture: np.ndarray, level: float, *, share: float = 0.25, noise: float = 0.0) -> np.ndarray:
    """The picture with its left part flat at a level of grey."""
    made = picture.copy()
    width = round(share * picture.shape[1])
    grain = noise * np.random.default_rng(0).standard_normal((picture.shape[0], width, 1))
    made[:, :width] = np.clip(level + grain, 0, 1)
    return made


GREY = "Parts of the picture are grey and flat"


@pytest.mark.parametrize("size", [(96, 72), (512, 384), (60, 400)])
@pytest.mark.parametrize("level", [0.25, 0.5, 0.8])
def test_grey_patches_are_told(size: tuple[int, int], level: float) -> None:
    words = advice(patched(resize(COLOURFUL, size), level, share=0.4, noise=0.01), content=resize(COLOURFUL, size))
    assert words.startswith(GREY)
    assert words.endswith("Allow more iterations, or raise the content weight.")


def test_fine_grain_does_not_hide_grey_patches() -> None:
    large = resize(COLOURFUL, (768, 576))
    assert advice(patched(large, 0.5, share=0.4, noise=0.05), content=large).startswith(GREY)


def test_the_photograph_may_be_larger_than_the_result() -> None:
    assert advice(patched(COLOURFUL, 0.5), content=resize(COLOURFUL, (300, 225))).startswith(GREY)


def test_pictures_without_grey_patches_are_not_mentioned() -> None:
    for seed in range(10):
        assert advice(draw(96, 72, seed)) == ""


def test_grey_is_no_fault_where_the_photograph_is_grey_and_flat() -> None:
    assert advice(patched(COLOURFUL, 0.5), content=patched(COLOURFUL, 0.6)) == ""


def test_grey_is_no_fault_where_the_style_is_grey() -> None:
    for style in (patched(STYLE, 0.5), np.full((72, 96, 3), 0.7, np.float32)):
        assert advice(patched(COLOURFUL, 0.5), style=style) == ""
    words = after(result=result(patched(COLOURFUL, 0.5)), content=COLOURFUL, styles=[STYLE, patched(STYLE, 0.5)])
    assert words == ()


def test_a_grey_style_is_known_by_its_pencil_strokes_too() -> None:
    grey_style = np.repeat(STYLE[..., :1], 3, axis=2)
    assert advice(np.repeat(draw(96, 72, 2)[..., :1], 3, axis=2), style=grey_style) == ""


@pytest.mark.parametrize("level", [0.0, 0.1, 0.95, 1.0])
def test_shadow_and_paper_are_not_grey(level: float) -> None:
    assert advice(patched(COLOURFUL, level)) == ""


def test_flat_colour_and_grey_detail_are_not_grey_patches() -> None:
    tinted = COLOURFUL.copy()
    tinted[:, :30] = (0.3, 0.4, 0.6)
    assert advice(tinted) == ""
    assert advice(patched(COLOURFUL, 0.5, noise=0.1)) == ""


def test_a_small_patch_is_an_accident() -> None:
    picture = COLOURFUL.copy()
    picture[:24, :12] = 0.5
    assert advice(picture) == ""


def test_what_to_change_about_grey_depends_on_the_settings() -> None:
    settings = STUDIO.with_optimizer("adam").replace(tv_weight=1.0, init="noise")
    words = advice(patched(COLOURFUL, 0.5), settings=settings)
    assert words.endswith(
        "Lower the variation weight, or start from the photograph instead of noise, or raise epsilon."
    )


def test_all_that_is_off_is_told() -> None:
    made = result(patched(COLOURFUL, 0.5), history=FLAT, notes=(NOTE,))
    assert len(after(result=made, content=COLOURFUL, styles=[STYLE])) == 3
