"""Tests of nst.colour: what the formulas promise, on pictures where they can be checked, and at the awkward ends."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nst import colour
from nst.colour import LEVEL, LUMA, Look, apply
from nst.errors import SettingsError
from nst.image import resize
from tests.conftest import draw

PHOTOGRAPH, MATCHED = Look("photograph"), Look("matched")


def colourful(seed: int = 0, low: float = 0.0, high: float = 1.0, *, size: tuple[int, int] = (30, 40)) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(low, high, (*size, 3)).astype(np.float32)


def moments(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pixels = picture.reshape(-1, 3).astype(np.float64)
    return pixels.mean(axis=0), np.cov(pixels, rowvar=False, bias=True)


def yiq(picture: np.ndarray) -> np.ndarray:
    """By the matrix of NTSC (1953), as colorsys and scikit-image have it."""
    return picture @ np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]).T


def inside(picture: np.ndarray) -> bool:
    return picture.dtype == np.float32 and np.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1


# The photograph's colours ----------------------------------------------------------------------------------------


def test_luminance_is_the_picture_s_and_chroma_the_photograph_s() -> None:
    picture, photograph = colourful(1, 0.4, 0.6), colourful(2, 0.4, 0.6)
    result = yiq(apply(picture, photograph, PHOTOGRAPH))
    np.testing.assert_allclose(result[..., 0], yiq(picture)[..., 0], atol=1e-6)
    np.testing.assert_allclose(result[..., 1:], yiq(photograph)[..., 1:], atol=1e-3)


def test_colours_out_of_range_pale_at_the_same_luminance_and_hue() -> None:
    picture, photograph = colourful(1), colourful(2)
    result = apply(picture, photograph, PHOTOGRAPH)
    np.testing.assert_allclose(result @ LUMA, picture @ LUMA, atol=1e-6)
    wanted, got = yiq(photograph)[..., 1:], yiq(result)[..., 1:]
    share = (wanted * got).sum(axis=-1) / (wanted**2).sum(axis=-1)
    np.testing.assert_allclose(got, share[..., None] * wanted, atol=1e-3)
    assert share.min() > -1e-3
    assert share.max() < 1 + 1e-3
    paled = share < 0.99
    assert 0.1 < paled.mean() < 0.9
    edge = np.minimum(result, 1 - result).min(axis=-1)
    np.testing.assert_allclose(edge[paled], 0, atol=1e-6, err_msg="they should be as colourful as can be")


def test_black_and_white_stay_black_and_white() -> None:
    picture = np.zeros((20, 20, 3), np.float32)
    picture[:10] = 1
    np.testing.assert_allclose(apply(picture, colourful(size=(20, 20)), PHOTOGRAPH), picture, atol=1e-6)


def test_a_grey_photograph_makes_the_picture_grey() -> None:
    grey = np.repeat(colourful(3)[..., :1], 3, axis=2)
    for look in (PHOTOGRAPH, MATCHED):
        result = apply(colourful(1), grey, look)
        assert np.ptp(result, axis=-1).max() < 1e-5
        assert result.std() > 0.05


def test_a_photograph_of_another_size_is_resized() -> None:
    picture, photograph = draw(40, 30), draw(97, 71, 1)
    for look in (PHOTOGRAPH, MATCHED, Look(blend=0.0), Look(blend=0.3)):
        result = apply(picture, photograph, look)
        np.testing.assert_array_equal(result, apply(picture, resize(photograph, (40, 30)), look))
        assert result.shape == (30, 40, 3)


# Matched colours -------------------------------------------------------------------------------------------------


def test_mean_and_covariance_become_the_photograph_s() -> None:
    mix = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.2], [0.3, 0.3, 0.4]], np.float32)
    picture, photograph = colourful(1), colourful(2, 0.2, 0.7) @ mix.T
    result = apply(picture, photograph, MATCHED)
    assert 0.01 < result.min() < result.max() < 0.99, "nothing may be out of range here"
    for got, wanted in zip(moments(result), moments(photograph), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_the_map_is_the_optimal_transport_between_normal_distributions() -> None:
    picture, photograph = colourful(1, 0.2, 0.8), colourful(2, 0.3, 0.7)[..., ::-1] * [0.9, 0.5, 1] + [0, 0.2, 0]
    photograph = photograph.astype(np.float32)
    result = apply(picture, photograph, MATCHED)
    (mean, covariance), (wanted_mean, wanted) = moments(picture), moments(photograph)
    scipy = pytest.importorskip("scipy.linalg")
    root = scipy.sqrtm(covariance).real
    inverse = np.linalg.inv(root)
    transport = inverse @ scipy.sqrtm(root @ wanted @ root).real @ inverse
    np.testing.assert_allclose(result, (picture - mean) @ transport.T + wanted_mean, atol=1e-5)


def test_a_picture_is_its_own_match() -> None:
    picture = draw(40, 30)
    np.testing.assert_allclose(apply(picture, picture, MATCHED), picture, atol=1e-5)
    np.testing.assert_allclose(apply(picture, picture, PHOTOGRAPH), picture, atol=1e-6)


def test_a_flat_picture_takes_the_mean_colour() -> None:
    photograph = draw(40, 30)
    for level in (0, 0.25, 1):
        result = apply(np.full((30, 40, 3), level, np.float32), photograph, MATCHED)
        np.testing.assert_allclose(result, np.broadcast_to(moments(photograph)[0], result.shape), atol=1e-4)


def test_a_grey_picture_is_toned_as_the_photograph_is() -> None:
    shades = colourful(1, 0.2, 0.8)[..., :1]
    photograph = np.concatenate([shades[::-1], 0.5 + 0 * shades, 0.9 - 0.5 * shades[::-1]], axis=2)
    result = apply(np.repeat(shades, 3, axis=2), photograph, MATCHED)
    np.testing.assert_allclose(moments(result)[0], moments(photograph)[0], atol=1e-4)
    assert np.ptp(result, axis=-1).max() > 0.1, "it got no colour"
    assert inside(result)


def test_matched_colours_out_of_range_pale_too() -> None:
    picture, photograph = draw(40, 30), colourful(2, size=(30, 40)).round()
    wanted = colour._matched(picture, photograph)
    assert wanted.min() < -0.1
    assert wanted.max() > 1.1
    result = apply(picture, photograph, MATCHED)
    assert inside(result)
    np.testing.assert_allclose(result @ LUMA, np.clip(wanted @ LUMA, 0, 1), atol=1e-5)


def test_noise_below_a_level_is_not_blown_up() -> None:
    random = np.random.default_rng(0)
    picture = (0.5 + 0.05 * LEVEL * random.standard_normal((40, 40, 3))).astype(np.float32)
    photograph = colourful(2, size=(40, 40))
    result = apply(picture, photograph, MATCHED)
    assert result.std(axis=(0, 1)).max() < 0.1 * photograph.std(axis=(0, 1)).min()


# Blending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colours", ["own", "photograph", "matched"])
def test_both_ends_of_the_blend_are_exact(colours: str) -> None:
    picture, photograph = colourful(1), colourful(2)
    np.testing.assert_array_equal(apply(picture, photograph, Look(colours, 0.0)), photograph)
    whole = apply(picture, photograph, Look(colours, 1.0))
    if colours == "own":
        assert whole is picture
    else:
        np.testing.assert_array_equal(whole, colour._coloured(picture, photograph, colours))
    half = apply(picture, photograph, Look(colours, 0.5))
    np.testing.assert_allclose(half, (whole + photograph) / 2, atol=1e-6)
    quarter = apply(picture, photograph, Look(colours, 0.25))
    np.testing.assert_allclose(quarter, 0.25 * whole + 0.75 * photograph, atol=1e-6)


@pytest.mark.parametrize("colours", ["own", "photograph", "matched"])
def test_what_is_given_is_left_alone(colours: str) -> None:
    picture, photograph = colourful(1), colourful(2)
    kept = picture.copy(), photograph.copy()
    for blend in (0.0, 0.5, 1.0):
        apply(picture, photograph, Look(colours, blend))
    np.testing.assert_array_equal(picture, kept[0])
    np.testing.assert_array_equal(photograph, kept[1])


LEVELS = st.integers(0, 255).map(lambda level: np.float32(level / 255))
PICTURES = arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 5), st.just(3)), elements=LEVELS)
LOOKS = st.builds(Look, st.sampled_from(["own", "photograph", "matched"]), st.floats(0, 1))


@given(picture=PICTURES, photograph=PICTURES, look=LOOKS)
def test_every_look_of_every_picture_is_a_picture(picture: np.ndarray, photograph: np.ndarray, look: Look) -> None:
    result = apply(picture, photograph, look)
    assert inside(result)
    assert result.shape == picture.shape


# Looks as data ---------------------------------------------------------------------------------------------------


@given(look=LOOKS)
def test_a_look_survives_json(look: Look) -> None:
    assert Look.from_dict(json.loads(json.dumps(look.to_dict()))) == look


def test_only_the_default_look_is_plain() -> None:
    assert Look().plain
    assert Look.from_dict({}).plain
    assert Look("own", 1).plain
    assert not any(look.plain for look in (PHOTOGRAPH, MATCHED, Look(blend=0.99), Look("matched", 0.0)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "must be a table.*NoneType"),
        ([["blend", 1]], "must be a table.*list"),
        ({"colours": "sepia"}, "colours is not known.*'sepia'.*own, photograph, matched"),
        ({"colours": "x" * 9999}, "colours is not known.*xxx"),
        ({"colours": ["own"]}, "colours is not known"),
        ({"colours": None}, "colours is not known"),
        ({"blend": 1.01}, "from 0 to 1.*1.01"),
        ({"blend": -1e-9}, "from 0 to 1"),
        ({"blend": float("nan")}, "from 0 to 1.*nan"),
        ({"blend": True}, "from 0 to 1.*True"),
        ({"blend": "1"}, "from 0 to 1.*'1'"),
        ({"blend": 10**400}, "from 0 to 1"),
        ({"blend": 1, "shell": "rm"}, "Unknown parts.*shell"),
        ({1: 2}, "Unknown parts"),
    ],
)
def test_what_is_no_look_is_refused_in_words(data: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        Look.from_dict(data)
    assert len(str(caught.value)) < 500
