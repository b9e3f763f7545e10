"""Runs that are stopped, frozen, resumed, steered and prolonged: to the same bytes as those that never were."""

from __future__ import annotations

import numpy as np
import pytest

from nst import budget, engine, tiles
from nst import checkpoint as checkpoint_module
from nst.checkpoint import Checkpoint
from nst.config import preset
from nst.errors import CheckpointError, SettingsError
from nst.result import Change, Status, layer_names, settings_at_start
from nst.run import Run
from nst.scales import Scale
from nst.tiles import WHOLE, Stage

SIZE = 48
SMALL = {"precision": "float32", "size": SIZE, "iterations": 9, "early_iterations": 0, "scales": 1}


def settings(optimizer="lbfgs", **changes):
    return preset("studio").with_optimizer(optimizer).replace(**(SMALL | changes))


@pytest.fixture(scope="module")
def pictures(picture):
    return picture(64, 44, 1), [picture(50, 50, 2)]


def paint(pictures, wanted, network, **options):
    return engine.stylize(*pictures, wanted, network=network, **options)


def stopped_after(pictures, wanted, network, evaluations, **options):
    """The checkpoint of a run that was stopped, as it comes back from a file."""
    seen = []
    result = paint(
        pictures,
        wanted,
        network,
        on_step=seen.append,
        cancelled=lambda: len(seen) >= evaluations,
        **options,
    )
    assert result.status == Status.CANCELLED
    assert result.evaluations == evaluations
    return Checkpoint.from_bytes(result.checkpoint().to_bytes())


def same(one, other):
    """Two results of the same evaluations, to the bit; the clock is not compared."""
    np.testing.assert_array_equal(one.picture, other.picture)
    timeless = [[row._replace(seconds=0) for row in result.history] for result in (one, other)]
    assert timeless[0] == timeless[1]
    assert one.layers == other.layers
    assert (one.status, one.evaluations, one.changes, one.settings) == (
        other.status,
        other.evaluations,
        other.changes,
        other.settings,
    )
    return True


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("evaluations", [1, 4, 8])
def test_a_resumed_run_ends_as_if_it_had_never_stopped(pictures, narrow, optimizer, evaluations):
    wanted = settings(optimizer)
    whole = paint(pictures, wanted, narrow)
    checkpoint = stopped_after(pictures, wanted, narrow, evaluations)
    same(paint(pictures, wanted, narrow, checkpoint=checkpoint), whole)


@pytest.mark.parametrize("evaluations", [1, 4, 8])
def test_a_run_in_other_variables_resumes_to_the_same_picture(pictures, narrow, evaluations):
    wanted = settings("adam", bounds="none", spectrum=0.4)
    checkpoint = stopped_after(pictures, wanted, narrow, evaluations)
    same(paint(pictures, wanted, narrow, checkpoint=checkpoint), paint(pictures, wanted, narrow))


@pytest.mark.parametrize("evaluations", [1, 5, 13])
def test_a_large_picture_remembered_sparingly_resumes_to_the_same_picture(pictures, narrow, evaluations, monkeypatch):
    monkeypatch.setattr(budget, "LARGE", 1000)
    monkeypatch.setattr(budget, "HISTORY_BYTES", 5 * 12 * 47 * 33)
    wanted = settings(size=47, iterations=20)  # 47 × 33 numbers in threes: an odd count
    whole = paint(pictures, wanted, narrow)
    checkpoint = stopped_after(pictures, wanted, narrow, evaluations)
    assert len(checkpoint.facts["optimizer"]["pairs"]["units"]) == 2 * min(evaluations - 1, 5)
    same(paint(pictures, wanted, narrow, checkpoint=checkpoint), whole)


@pytest.mark.parametrize("evaluations", [2, 5, 6, 11, 12, 17])
def test_a_run_of_several_scales_resumes_at_any_of_them(pictures, narrow, evaluations):
    wanted = settings(size=140, scales=3, coarse_iterations=6, plateau=0.001)
    whole = paint((pictures[0], pictures[1]), wanted, narrow)
    assert {row.scale for row in whole.history} == {0, 1}
    checkpoint = stopped_after(pictures, wanted, narrow, min(evaluations, whole.evaluations - 1))
    same(paint(pictures, wanted, narrow, checkpoint=checkpoint), whole)


def test_a_run_may_be_stopped_again_and_again(pictures, narrow):
    wanted, checkpoint = settings(), None
    whole = paint(pictures, wanted, narrow)
    for _ in range(3):
        seen = []
        result = paint(
            pictures,
            wanted,
            narrow,
            checkpoint=checkpoint,
            on_step=seen.append,
            cancelled=lambda seen=seen: len(seen) >= 2,
        )
        checkpoint = Checkpoint.from_bytes(result.checkpoint().to_bytes())
    same(paint(pictures, wanted, narrow, checkpoint=checkpoint), whole)


def test_a_checkpoint_of_a_step_is_the_state_at_that_step(pictures, narrow):
    """As a crash leaves it: written while the run goes on."""
    taken = []
    whole = paint(pictures, settings(), narrow, on_step=lambda step: taken.append(step.checkpoint().to_bytes()))
    for data in taken[2::3]:
        same(paint(pictures, settings(), narrow, checkpoint=Checkpoint.from_bytes(data)), whole)


def test_more_steps_go_on_from_the_optimisers_state(pictures, narrow):
    """Nine steps and six more are the same as fifteen."""
    ended = paint(pictures, settings(), narrow)
    more = paint(
        pictures, settings(), narrow, checkpoint=ended.checkpoint(), changes=lambda n, scale: {"iterations": 15}
    )
    fifteen = paint(pictures, settings(iterations=15), narrow)
    np.testing.assert_array_equal(more.picture, fifteen.picture)
    assert more.evaluations == 15
    assert more.settings.iterations == 15
    assert more.changes == (Change(9, 0, {"iterations": 9}, {"iterations": 15}),)


def test_a_converged_run_takes_more_steps_once_its_plateau_is_lifted(pictures, narrow):
    flat = settings(iterations=60, plateau=0.4)
    ended = paint(pictures, flat, narrow)
    assert ended.status == Status.CONVERGED
    wanted = {"iterations": ended.evaluations + 5, "plateau": 0.0}
    more = paint(pictures, flat, narrow, checkpoint=ended.checkpoint(), changes=lambda n, scale: wanted)
    assert more.evaluations == ended.evaluations + 5
    assert more.losses.total < ended.losses.total


def steering(schedule):
    """What a person does at certain evaluations, once each."""
    left = dict(schedule)
    return lambda evaluations, scale: left.pop(evaluations, {})


def replayed(changes):
    return lambda evaluations, scale: {
        name: value
        for change in changes
        if (change.evaluation, change.scale) == (evaluations, scale)
        for name, value in change.after.items()
    }


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_steered_run_can_be_made_again(pictures, narrow, optimizer):
    wanted = settings(optimizer, iterations=14)
    schedule = {4: {"strength": 90.0}, 9: {"tv_weight": 2.0, "strength": 20.0}}
    steered = paint(pictures, wanted, narrow, changes=steering(schedule))
    assert [change.evaluation for change in steered.changes] == [4, 9]
    assert steered.settings.strength == 20
    assert steered.settings.tv_weight == 2
    assert settings_at_start(steered.settings, steered.changes) == wanted
    same(paint(pictures, wanted, narrow, changes=replayed(steered.changes)), steered)


def test_a_steered_run_resumes_to_the_same_picture(pictures, narrow):
    wanted = settings(iterations=14)
    schedule = {4: {"strength": 90.0}, 9: {"tv_weight": 2.0}}
    whole = paint(pictures, wanted, narrow, changes=steering(schedule))
    checkpoint = stopped_after(pictures, wanted, narrow, 6, changes=steering(schedule))
    same(paint(pictures, wanted, narrow, checkpoint=checkpoint, changes=steering(schedule)), whole)


def test_strength_changed_halfway_has_its_effect_on_style_and_content(pictures, narrow):
    wanted = settings(iterations=80)  # enough for either to have settled
    plain = paint(pictures, wanted, narrow)
    bold = paint(pictures, wanted, narrow, changes=steering({10: {"strength": 95.0}}))
    meek = paint(pictures, wanted, narrow, changes=steering({10: {"strength": 5.0}}))
    assert np.array_equal([row.total for row in plain.history[:10]], [row.total for row in bold.history[:10]])
    style = [run.losses.style / run.settings.effective_style_weight for run in (meek, plain, bold)]
    content = [run.losses.content for run in (meek, plain, bold)]
    assert style[0] > style[1] > style[2]
    assert content[0] < content[1] < content[2]


def test_the_kept_picture_is_the_best_by_the_last_weights(pictures, narrow):
    """A loss of before the change, by lower weights, is no record to be held against what came after."""
    result = paint(pictures, settings(iterations=12), narrow, changes=steering({6: {"strength": 100.0}}))
    assert result.losses.evaluation > 6
    assert result.losses.total > min(row.total for row in result.history)


def test_a_larger_size_goes_on_from_the_picture(pictures, narrow):
    ended = paint(pictures, settings(), narrow)
    wanted = {"size": 96, "iterations": 7}
    larger = paint(pictures, settings(), narrow, checkpoint=ended.checkpoint(), changes=steering({9: wanted}))
    assert larger.picture.shape == (66, 96, 3)
    assert [(row.width, row.height) for row in larger.history] == [(48, 33)] * 9 + [(96, 66)] * 7
    assert larger.full_size_evaluations == pytest.approx(7 + 9 / 4)
    assert larger.settings.size == 96
    scratch = paint(pictures, settings(size=96, iterations=7), narrow)
    assert larger.losses.total < scratch.losses.total
    again = paint(pictures, settings(), narrow, changes=replayed(larger.changes))
    same(again, larger)


def test_a_much_larger_size_is_reached_in_doublings(pictures, narrow):
    wanted = settings(coarse_iterations=3)
    larger = paint(pictures, wanted, narrow, changes=steering({9: {"size": 200, "iterations": 2}}))
    assert [row.width for row in larger.history] == [48] * 9 + [100] * 3 + [200] * 2


def test_paces_are_told_as_on_the_way_to_a_larger_size(narrow, monkeypatch):
    monkeypatch.setattr(tiles, "ON_A_CARD", 0)
    monkeypatch.setattr(tiles, "WAYS", ((2000, WHOLE), (np.inf, (Stage(5, 16),))))
    monkeypatch.setattr(tiles, "EFFORTS", (1.0, 1.8))
    monkeypatch.setattr(tiles, "SPARING", 5000)
    run = Run(settings(), narrow, [Scale((48, 33))])
    run.paces = {0: [1.0, 2.0]}
    run.change({"size": 60}, [Scale((60, 41))])
    assert run.paces == {0: [1.0, 2.0]}
    run.change({"size": 96}, [Scale((96, 66))])
    assert run.paces == {0: [1.8, 3.6]}


@pytest.mark.parametrize("size", [20 + 12, 47, 48])
def test_a_size_that_is_not_larger_is_refused(pictures, narrow, size):
    changed = {"size": size, "iterations": 12}
    if size == SIZE:
        assert paint(pictures, settings(), narrow, changes=steering({4: changed})).evaluations == 12
        return
    with pytest.raises(SettingsError, match="larger"):
        paint(pictures, settings(), narrow, changes=steering({4: changed}))


def test_other_settings_can_not_change_in_the_middle(pictures, narrow):
    with pytest.raises(SettingsError, match="pooling"):
        paint(pictures, settings(), narrow, changes=lambda n, scale: {"pooling": "average"})


def test_a_checkpoint_of_another_run_is_refused(pictures, narrow, other_narrow):
    checkpoint = stopped_after(pictures, settings(), narrow, 3)
    with pytest.raises(CheckpointError, match="another"):
        paint(pictures, settings(strength=51.0), narrow, checkpoint=checkpoint)
    with pytest.raises(CheckpointError, match="another"):
        paint(pictures, settings(), other_narrow, checkpoint=checkpoint)


@pytest.mark.parametrize("name", ["settings", "rows", "optimizer", "scales", "retreats", "totals"])
def test_a_checkpoint_with_a_part_missing_is_refused(pictures, narrow, name):
    checkpoint = stopped_after(pictures, settings(), narrow, 3)
    facts = {key: value for key, value in checkpoint.facts.items() if key != name}
    with pytest.raises(CheckpointError):
        paint(pictures, settings(), narrow, checkpoint=Checkpoint(facts, checkpoint.arrays))


def test_a_checkpoint_whose_arrays_are_missing_is_refused(pictures, narrow):
    checkpoint = stopped_after(pictures, settings(), narrow, 3)
    for name in ("best", "optimizer.point", "optimizer.pairs.matrices.0"):
        arrays = {key: value for key, value in checkpoint.arrays.items() if key != name}
        with pytest.raises(CheckpointError):
            paint(pictures, settings(), narrow, checkpoint=Checkpoint(checkpoint.facts, arrays))


def test_a_checkpoint_without_the_origin_that_its_variables_need_is_refused(pictures, narrow):
    wanted = settings("adam", bounds="none", spectrum=0.4)
    checkpoint = stopped_after(pictures, wanted, narrow, 3)
    arrays = {key: value for key, value in checkpoint.arrays.items() if key != "origin"}
    assert len(arrays) == len(checkpoint.arrays) - 1
    with pytest.raises(CheckpointError):
        paint(pictures, wanted, narrow, checkpoint=Checkpoint(checkpoint.facts, arrays))


def test_a_checkpoint_of_the_way_steps_were_remembered_before_is_refused(pictures, narrow):
    checkpoint = stopped_after(pictures, settings(), narrow, 3)
    before = dict(checkpoint.facts["optimizer"]) | {"direction": {"array": "optimizer.direction"}, "steps": []}
    del before["products"], before["scale"]
    with pytest.raises(CheckpointError, match="another optimiser"):
        paint(
            pictures,
            settings(),
            narrow,
            checkpoint=Checkpoint({**checkpoint.facts, "optimizer": before}, checkpoint.arrays),
        )


@pytest.mark.parametrize("kind", ["lbfgs", "adam"])
def test_a_checkpoint_holds_no_picture_twice(pictures, narrow, kind):
    """The best picture is most often the optimiser's last good point as well."""
    checkpoint = stopped_after(pictures, settings(kind), narrow, 6)
    arrays = [array for array in checkpoint.arrays.values() if array.ndim == 4]
    assert not any(np.array_equal(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_losses_by_layer_add_up_and_have_names(pictures, narrow):
    result = paint(pictures, settings(), narrow)
    names = layer_names(result.settings)
    assert len(result.layers) == len(result.history)
    for row, layers in zip(result.history, result.layers, strict=True):
        assert len(layers.losses) == len(names)
        for part in ("content", "style"):
            parts = [loss for name, loss in zip(names, layers.losses, strict=True) if name.startswith(part)]
            assert sum(parts) == pytest.approx(getattr(row, part), rel=1e-5)


def test_seconds_go_on_where_they_were(pictures, narrow):
    checkpoint = stopped_after(pictures, settings(), narrow, 4)
    result = paint(pictures, settings(), narrow, checkpoint=checkpoint)
    seconds = [row.seconds for row in result.history]
    assert seconds == sorted(seconds)
    assert result.seconds >= checkpoint.facts["seconds"]


class Shaky:
    """An objective that answers NaN at the evaluations it is told to."""

    def __init__(self, objective, wrong):
        self.objective, self.wrong, self.calls = objective, wrong, 0

    def __getattr__(self, name):
        return getattr(self.objective, name)

    def reweighted(self, settings):
        self.objective = self.objective.reweighted(settings)
        return self

    def __call__(self, pixels):
        values, gradient = self.objective(pixels)
        self.calls += 1
        return (values * np.nan if self.calls in self.wrong else values), gradient


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_nan_right_after_steering_is_recovered_from(pictures, narrow, monkeypatch, optimizer):
    of = engine.Objective.of
    monkeypatch.setattr(engine.Objective, "of", lambda *args, **options: Shaky(of(*args, **options), {6}))
    result = paint(pictures, settings(optimizer, iterations=14), narrow, changes=steering({5: {"strength": 80.0}}))
    assert result.status == Status.FINISHED
    assert result.notes == (engine.NOT_FINITE,)
    assert result.losses.total < result.history[5].total


def test_nothing_goes_on_from_a_failed_run(pictures, narrow, monkeypatch):
    of = engine.Objective.of
    wrong = set(range(4, 100))
    monkeypatch.setattr(engine.Objective, "of", lambda *args, **options: Shaky(of(*args, **options), wrong))
    result = paint(pictures, settings(iterations=40), narrow)
    assert (result.status, result.checkpoint) == (Status.FAILED, None)


def test_a_larger_size_without_memory_fails_in_words_and_leaves_no_broken_state(pictures, narrow, monkeypatch):
    of = engine.Objective.of

    def small_only(*args, size, **options):
        if size[0] > SIZE:
            raise MemoryError
        return of(*args, size=size, **options)

    monkeypatch.setattr(engine.Objective, "of", small_only)
    result = paint(pictures, settings(), narrow, changes=steering({9: {"size": 96}}))
    assert result.status == Status.FAILED
    assert "not enough memory" in result.message
    assert result.checkpoint is None
    assert result.evaluations == 9


def test_the_checkpoint_of_an_earlier_version_is_refused_in_words(pictures, narrow, monkeypatch):
    data = stopped_after(pictures, settings(), narrow, 3)
    monkeypatch.setattr(checkpoint_module, "VERSION", 1)
    earlier = data.to_bytes()
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"another version of this program\. Received: 1"):
        Checkpoint.from_bytes(earlier)
