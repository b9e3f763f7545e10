"""Where tiles lie: what they own covers a picture once, what they see is enough, and which sizes are tiled."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nst.image import MIN_SIDE
from nst.tiles import GRID, ON_A_CARD, WAYS, WHOLE, effort, tiles, way

CONVOLUTIONS = (2, 2, 4, 4, 4)

sides = st.integers(MIN_SIDE, 150)
cores = st.none() | st.integers(1, 6).map(lambda cells: GRID * cells)


@st.composite
def segments(draw):
    """First block, convolutions in each, and whether it is the last segment."""
    first, last = sorted(draw(st.tuples(st.integers(1, 5), st.integers(1, 5))))
    convolutions = list(CONVOLUTIONS[first - 1 : last])
    if last == 5 or draw(st.booleans()):
        convolutions[-1] = draw(st.integers(1, convolutions[-1]))
        return first, convolutions, True
    return first, convolutions, False


@given(size=st.tuples(sides, sides), segment=segments(), core=cores)
@hypothesis_settings(max_examples=100, deadline=None)
def test_cores_cover_every_map_once_and_shares_add_up(size, segment, core):
    first, convolutions, deepest = segment
    found = tiles(size, first, convolutions, core)
    for i in range(len(convolutions) + (not deepest)):
        halvings = first - 1 + i
        owners = np.zeros((1, size[1] >> halvings, size[0] >> halvings), int)
        for tile in found:
            owners[tile.cores[i]] += 1
        assert (owners == 1).all()
    np.testing.assert_allclose(np.sum([tile.shares for tile in found], axis=0), 1, rtol=1e-5)
    if core:
        assert all(axis.stop - axis.start < (core + GRID) >> (first - 1) for t in found for axis in t.cores[0][1:])


@given(size=st.tuples(sides, sides), segment=segments(), core=cores)
@hypothesis_settings(max_examples=100, deadline=None)
def test_what_goes_on_is_not_spoilt_by_the_border_of_a_tile(size, segment, core):
    """A mark set at the inner borders spreads through convolutions and pooling, and is cut away each time."""
    first, convolutions, deepest = segment
    for tile in tiles(size, first, convolutions, core):
        begins = [axis.start for axis in tile.region[1:]]
        lengths = [axis.stop - axis.start for axis in tile.region[1:]]
        sound = [[0, length] for length in lengths]
        for i, count in enumerate(convolutions):
            whole = [side >> (first - 1 + i) for side in size[::-1]]
            for axis in range(2):
                assert 0 <= begins[axis] < begins[axis] + lengths[axis] <= whole[axis]
                true_begin = begins[axis] == 0
                true_end = begins[axis] + lengths[axis] == whole[axis]
                low = 0 if true_begin else sound[axis][0] + count
                high = lengths[axis] if true_end else sound[axis][1] - count
                core_begin, core_end = tile.cuts[i, 0, axis]
                assert low <= core_begin < core_end <= high <= lengths[axis]
                assert begins[axis] + core_begin == tile.cores[i][1 + axis].start
                if i == len(convolutions) - 1 and deepest:
                    continue
                assert begins[axis] % 2 == 0, "a pooling window would be cut in two"
                begin, end = tile.cuts[i, 1, axis]
                assert math.ceil(low / 2) <= begin < end <= high // 2
                begins[axis], lengths[axis], sound[axis] = begins[axis] // 2 + begin, end - begin, [0, end - begin]


@pytest.mark.parametrize(("in_block_5", "halo"), [(1, 70), (2, 86), (4, 118)])
def test_halos_are_the_receptive_field_and_no_more(in_block_5, halo):
    middle = tiles((1024, 1024), 1, (*CONVOLUTIONS[:4], in_block_5), 256)[5]
    assert middle.cores[0] == (slice(None), slice(256, 512), slice(256, 512))
    assert middle.region == (slice(None), slice(256 - halo, 512 + halo), slice(256 - halo, 512 + halo))


def test_a_segment_of_two_blocks_needs_six_pixels():
    middle = tiles((1024, 1024), 1, CONVOLUTIONS[:2], 256)[5]
    assert middle.region[1:] == (slice(250, 518),) * 2
    assert middle.cores[2][1:] == (slice(64, 128),) * 2


def test_ways_are_chosen_by_the_number_of_pixels():
    assert way(774 * 775) == way(600_000) == WHOLE
    assert way(600_001) != WHOLE
    assert way(8192 * 8192) == WAYS[-1][1]
    assert [way(pixels) for pixels, _ in WAYS[:-1]] == [found for _, found in WAYS[:-1]]
    for found in (found for _, found in WAYS):
        assert found[-1].last == 5
        assert all(before.last < after.last for before, after in pairwise(found))
        assert all(stage.core is None or stage.core % GRID == 0 for stage in found)
        assert all(not stage.strips or (stage is found[0] and stage.core is None) for stage in found)
    assert all(before < after for (before, _), (after, _) in pairwise(WAYS))


def test_a_card_goes_the_whole_way_as_far_as_any_has_memory():
    assert way(ON_A_CARD, card=True) == way(256 * 256, 10_000_000, card=True) == WHOLE
    for pixels in (ON_A_CARD + 1, 2_000_000, 20_000_000):
        assert way(pixels, card=True) == way(pixels) != WHOLE


def test_what_leads_up_to_a_large_picture_goes_its_way():
    assert way(600_000, 1_800_000) == way(600_000) == WHOLE
    for last in (1_800_001, 6_000_001):
        assert way(600_000, last) == way(last - 1, last) == way(last) != WHOLE
        assert effort(600_000, last) == effort(last)
    assert way(7_000_000, 2_000_000) == way(7_000_000)  # a style, seen at twice the size


def test_what_is_computed_twice_counts_as_effort():
    assert effort(600_000) == 1 < effort(600_001) < effort(850_001) < effort(1_800_001) < effort(8192 * 8192) < 3
