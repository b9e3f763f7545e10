"""L-BFGS beside SciPy's, Adam and SGD beside Keras', and states that are taken up again to the bit."""

import io
import itertools
import json

import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from nst import budget, optimizers, vectors
from nst.config import Settings, preset
from nst.optimizers import LBFGS, SGD, Adam, make
from nst.spectrum import Coefficients, Spectrum
from nst.vectors import Halves, Vectors

# L-BFGS, float64


def quadratic(condition, n=30):
    random = np.random.default_rng(n)
    basis, _ = np.linalg.qr(random.standard_normal((n, n)))
    matrix = basis @ np.diag(np.geomspace(1, condition, n)) @ basis.T
    lowest = random.standard_normal(n)
    return (lambda x: ((x - lowest) @ matrix @ (x - lowest) / 2, matrix @ (x - lowest))), np.zeros(n)


def beale(x):
    a, b = x
    parts = np.array([1.5 - a + a * b, 2.25 - a + a * b**2, 2.625 - a + a * b**3])
    return parts @ parts, np.array([2 * parts @ [b - 1, b**2 - 1, b**3 - 1], 2 * parts @ [a, 2 * a * b, 3 * a * b**2]])


def styblinski_tang(x):
    return np.sum(x**4 - 16 * x**2 + 5 * x) / 2, 2 * x**3 - 16 * x + 2.5


def valley(x):
    """Sum of log(1 + x²): curved the wrong way wherever |x| > 1."""
    return np.sum(np.log1p(x**2)), 2 * x / (1 + x**2)


def rosenbrock(x):
    return scipy.optimize.rosen(x), scipy.optimize.rosen_der(x)


PROBLEMS = {
    "Rosenbrock 2": (rosenbrock, np.array([-1.2, 1.0])),
    "Rosenbrock 5": (rosenbrock, np.array([1.3, 0.7, 0.8, 1.9, 1.2])),
    "Rosenbrock 10": (rosenbrock, np.linspace(0, 2, 10)),
    "Rosenbrock 50": (rosenbrock, 1 + 0.5 * np.sin(np.arange(50))),
    "quadratic, condition 1e2": quadratic(1e2),
    "quadratic, condition 1e4": quadratic(1e4),
    "quadratic, condition 1e6": quadratic(1e6, n=10),
    "Beale": (beale, np.array([1.0, 1.0])),
    "Styblinski-Tang": (styblinski_tang, np.linspace(-4, -1.5, 8)),
    "valley": (valley, np.linspace(0.5, 3, 7)),
}
FLAT = 1e-5


def evaluations_until_flat(function, start, limit):
    """How many evaluations until no entry of the gradient exceeds FLAT, and the point where that is."""
    optimizer = LBFGS(tf.constant(start, tf.float64), history=10, first_step=0.1)
    for count in range(1, limit + 1):
        point = optimizer.point.numpy()
        loss, gradient = function(point)
        if np.abs(gradient).max() <= FLAT:
            return count, point
        optimizer.tell(float(loss), tf.constant(gradient, tf.float64))
    return limit + 1, optimizer.point.numpy()


@pytest.mark.parametrize("name", PROBLEMS)
def test_lbfgs_finds_scipys_minimum_in_about_as_many_evaluations(name):
    function, start = PROBLEMS[name]
    options = {"maxcor": 10, "gtol": FLAT, "ftol": 0, "maxiter": 5000, "maxfun": 20000}
    theirs = scipy.optimize.minimize(function, start, jac=True, method="L-BFGS-B", options=options)
    assert np.abs(theirs.jac).max() <= FLAT
    limit = 2 * theirs.nfev + 10
    count, point = evaluations_until_flat(function, start, limit)
    assert count <= limit, f"more than {limit} evaluations; SciPy needs {theirs.nfev}"
    assert function(point)[0] == pytest.approx(theirs.fun, abs=1e-6)
    np.testing.assert_allclose(point, theirs.x, atol=1e-3)


def test_lbfgs_stays_where_the_gradient_vanishes():
    optimizer = LBFGS(tf.constant([1.0, 2.0]))
    for _ in range(3):
        optimizer.tell(5.0, tf.zeros(2))
        np.testing.assert_array_equal(optimizer.point, [1, 2])


def test_lbfgs_first_move_has_the_root_mean_square_length_asked_for():
    optimizer = LBFGS(tf.zeros([4, 5], tf.float64), first_step=3.0)
    optimizer.tell(1.0, tf.constant(np.random.default_rng(0).standard_normal((4, 5))))
    assert np.sqrt(np.mean(optimizer.point.numpy() ** 2)) == pytest.approx(3)


def test_lbfgs_never_moves_on_from_a_point_that_is_higher():
    function, start = PROBLEMS["Rosenbrock 10"]
    optimizer = LBFGS(tf.constant(start, tf.float64))
    accepted = []
    for _ in range(60):
        optimizer.tell(float(function(optimizer.point.numpy())[0]), tf.constant(function(optimizer.point.numpy())[1]))
        accepted.append(function(optimizer.base.numpy())[0])
    assert (np.diff(accepted) <= 1e-7 * np.abs(accepted[:-1])).all()
    assert accepted[-1] < accepted[0] / 100


def test_lbfgs_remembers_no_more_than_its_history():
    function, start = PROBLEMS["Rosenbrock 10"]
    optimizer = LBFGS(tf.constant(start, tf.float64), history=3)
    for _ in range(20):
        loss, gradient = function(optimizer.point.numpy())
        optimizer.tell(float(loss), tf.constant(gradient))
    assert len(optimizer.pairs) == 2 * 3


def test_lbfgs_shortens_a_step_too_far_to_the_lowest_point_of_a_parabola():
    # x²/2 from 1, the first move 3 long: at -2 the loss is 2 > 1/2. The parabola through both is the function itself.
    optimizer = LBFGS(tf.constant([1.0], tf.float64), first_step=3.0)
    optimizer.tell(0.5, tf.constant([1.0], tf.float64))
    assert float(optimizer.point[0]) == pytest.approx(-2)
    optimizer.tell(2.0, tf.constant([-2.0], tf.float64))
    assert float(optimizer.point[0]) == pytest.approx(0, abs=1e-12)


def test_lbfgs_gets_down_a_wall_it_ran_into():
    """A first step far too long, onto ground 10^12 times as high."""
    optimizer = LBFGS(tf.constant([1.0, -1.0], tf.float64), first_step=1e6)
    for _ in range(60):
        x = optimizer.point.numpy()
        optimizer.tell(float(np.sum(x**4)), tf.constant(4 * x**3))
    assert np.abs(optimizer.base.numpy()).max() < 0.1


# L-BFGS beside the two-loop recursion


def two_loops(gradient, pairs, first_estimate):
    """Nocedal and Wright 2006, algorithm 7.4, line by line; `first_estimate` is H0 but for its scale."""
    gradient = gradient.copy()
    shares = []
    for step, change in reversed(pairs):
        shares.append(step @ gradient / (step @ change))
        gradient -= shares[-1] * change
    step, change = pairs[-1]
    direction = step @ change / (change @ first_estimate(change)) * first_estimate(gradient)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        direction += (share - change @ direction / (step @ change)) * step
    return -direction


@pytest.mark.parametrize("history", [1, 2, 7, 20])
@pytest.mark.parametrize("exponent", [0, 0.4])
def test_lbfgs_in_float32_looks_where_the_two_loop_recursion_in_float64_does(history, exponent):
    """On a stiff quadratic of many unknowns, where most is cancelled."""
    size = (24, 31)
    random = np.random.default_rng(3)
    stiffness = np.geomspace(1, 1e4, 3 * size[0] * size[1])
    random.shuffle(stiffness)
    spectrum = Spectrum(*size, exponent)

    def first_estimate(vector):
        picture = tf.constant(vector.reshape(1, *size, 3), tf.float32)
        return spectrum.scaled(picture, twice=True).numpy().astype(np.float64).ravel()

    start = random.standard_normal((1, *size, 3)).astype(np.float32)
    optimizer = LBFGS(tf.constant(start), history=history, spectrum=spectrum)
    pairs, before = [], None
    for _ in range(26):
        point = optimizer.point.numpy().ravel().astype(np.float64)
        gradient = np.float32(stiffness * point)
        optimizer.tell(float(stiffness @ point**2 / 2), tf.constant(gradient.reshape(start.shape)))
        if not np.array_equal(optimizer.base.numpy().ravel(), point):
            continue  # a step that was too long
        gradient = gradient.astype(np.float64)
        if before is not None:
            pairs = [*pairs, (point - before[0], gradient - before[1])][-history:]
            wanted = two_loops(gradient, pairs, first_estimate)
            found = (optimizer.point - optimizer.base).numpy().ravel()
            assert np.linalg.norm(found - wanted) < 2e-3 * np.linalg.norm(wanted)
        before = point, gradient
    assert len(pairs) == min(history, len(pairs)) > 0
    assert len(optimizer.pairs) == 2 * len(pairs)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", ["Rosenbrock 10", "quadratic, condition 1e4", "valley"])
def test_lbfgs_counts_what_it_remembers(name, half):
    function, start = PROBLEMS[name]
    optimizer = LBFGS(start if half else tf.constant(start), history=4, first_step=0.5, half=half)
    full = 0
    for told in range(30):
        if told == 20:
            optimizer.restart()
            function = rosenbrock
        loss, gradient = function(np.array(optimizer.point))
        optimizer.tell(float(loss), gradient if half else tf.constant(gradient))
        if told in (7, 21):
            optimizer.retreat()
        units = np.eye(start.size)
        rows = np.stack([optimizer.pairs.products(unit if half else tf.constant(unit))[0] for unit in units], 1)
        steps, changes = rows[::2], rows[1::2]
        full += len(steps) == 4 and told < 20
        for found, wanted in (
            (np.triu(optimizer.products), np.triu(steps @ changes.T)),
            (optimizer.energies, changes @ changes.T),
        ):
            size = 1 + np.abs(wanted).max(initial=0)
            np.testing.assert_allclose(found, wanted, rtol=0, atol=(2e-3 if half else 1e-8) * size)
    assert full > 3


def test_lbfgs_is_not_misled_by_the_rounding_of_short_steps():
    """Of pixels near 200, float32 tells no less than 1.5e-5 apart: steps of that length go anywhere."""
    random = np.random.default_rng(5)
    start, stiffness = (random.uniform(low, high, 5000).astype(np.float32) for low, high in ((150, 250), (0.5, 2)))
    optimizer = LBFGS(tf.constant(start), first_step=4e-5)
    optimizer.tell(9.0, tf.constant(stiffness * (start - 200)))
    step = optimizer.point.numpy() - start
    assert 0 < np.abs(step).max() < 2e-4
    optimizer.tell(8.0, tf.constant(stiffness * (optimizer.point.numpy() - 200)))
    change = stiffness * (start + step - 200) - stiffness * (start - 200)
    assert optimizer.products[0, 0] == pytest.approx(np.dot(np.float64(step), np.float64(change)), rel=0.02)


def test_lbfgs_with_a_spectrum_takes_the_steps_that_it_takes_in_coefficients():
    size, random = (20, 26), np.random.default_rng(4)
    origin, wanted = (tf.constant(random.uniform(0, 255, (1, *size, 3)), tf.float32) for _ in range(2))
    weights = tf.constant(random.uniform(0.5, 2, (1, *size, 3)), tf.float32)
    variables = Coefficients(origin, 0.7)
    ours = LBFGS(origin, history=6, spectrum=Spectrum(*size, 0.7))
    theirs = LBFGS(variables.start(origin), history=6)
    for _ in range(15):
        pixels = variables.pixels(theirs.point)
        np.testing.assert_allclose(ours.point, pixels, atol=0.05)
        for optimizer, point, pull_back in ((ours, ours.point, tf.identity), (theirs, pixels, variables.pull_back)):
            loss = tf.reduce_sum(weights * (point - wanted) ** 2) / 2
            optimizer.tell(float(loss), pull_back(weights * (point - wanted)))


def test_lbfgs_in_half_precision_loses_little():
    """The same valley, 1000 unknowns: both get far down it, at about the same pace."""
    reached = {}
    for half in (False, True):
        start = 1 + 0.5 * np.sin(np.arange(1000))
        optimizer = LBFGS(start if half else tf.constant(start), history=8, half=half)
        for _ in range(60):
            reached[half], gradient = rosenbrock(np.array(optimizer.point))
            optimizer.tell(float(reached[half]), gradient if half else tf.constant(gradient))
    lost = rosenbrock(start)[0]
    assert reached[False] < 1e-4 * lost
    assert reached[True] < 3e-4 * lost


def test_lbfgs_of_arrays_takes_the_steps_that_it_takes_of_tensors(monkeypatch):
    """As large pictures are held: channel by channel, in pieces, and nothing that was handed out is touched again."""
    monkeypatch.setattr(budget, "LARGE", 0)
    monkeypatch.setattr(vectors, "PIECE", 1000)
    monkeypatch.setattr(optimizers, "SHORT", 300)
    size, random = (24, 31), np.random.default_rng(4)
    start = random.uniform(0, 255, (1, *size, 3)).astype(np.float32)
    stiffness = np.geomspace(1, 100, start.size).astype(np.float32).reshape(start.shape)
    arrays = LBFGS(start, history=6, spectrum=Spectrum(*size, 0.4), half=True)
    tensors = LBFGS(tf.constant(start), history=6, spectrum=Spectrum(*size, 0.4))
    handed_out = []
    for _ in range(8):
        np.testing.assert_allclose(arrays.point, tensors.point, atol=2e-3 * np.abs(start).max())
        for optimizer in (arrays, tensors):
            point = np.array(optimizer.point)
            gradient = stiffness * point
            optimizer.tell(
                float(np.sum(gradient * point)) / 2, tf.constant(gradient) if optimizer is tensors else gradient
            )
        handed_out += [(held, held.copy()) for held in (arrays.point, arrays.base, arrays.gradient)]
        assert all(isinstance(held, np.ndarray) and held.dtype == np.float32 for held, _ in handed_out[-3:])
    assert len(arrays.pairs) == 2 * 6
    for held, as_it_was in handed_out:
        np.testing.assert_array_equal(held, as_it_was)


# Adam and SGD, float32


def gradients(shape, steps):
    random = np.random.default_rng(5)
    return [random.standard_normal(shape).astype(np.float32) * 10 ** random.uniform(-4, 4) for _ in range(steps)]


@pytest.mark.parametrize("options", [{}, {"beta_1": 0.99, "epsilon": 0.1}, {"beta_2": 0.9, "epsilon": 1e-8}])
def test_adam_is_keras_adam_step_for_step(options):
    start = np.random.default_rng(1).standard_normal((2, 3)).astype(np.float32)
    ours = Adam(tf.constant(start), learning_rate=0.02, **options)
    theirs, point = keras.optimizers.Adam(0.02, **options), keras.Variable(start)
    for gradient in gradients((2, 3), 60):
        ours.tell(0.0, tf.constant(gradient))
        theirs.apply([tf.constant(gradient)], [point])
        np.testing.assert_allclose(ours.point, point.numpy(), rtol=2e-5, atol=1e-6)


def test_sgd_is_keras_sgd_with_a_continuous_exponential_decay():
    start = np.zeros((2, 3), np.float32)
    ours = SGD(tf.constant(start), learning_rate=100.0, decay=0.96, decay_steps=100)
    schedule = keras.optimizers.schedules.ExponentialDecay(100.0, decay_steps=100, decay_rate=0.96)
    theirs, point = keras.optimizers.SGD(schedule), keras.Variable(start)
    for gradient in gradients((2, 3), 250):
        before = point.numpy()
        ours.point = tf.constant(before)  # step for step: no drift of the sums
        ours.tell(0.0, tf.constant(gradient))
        theirs.apply([tf.constant(gradient)], [point])
        np.testing.assert_allclose(ours.point - before, point.numpy() - before, rtol=1e-4, atol=1e-6)


def test_points_are_clipped_after_each_step():
    optimizer = Adam(tf.constant([0.5, 0.5]), learning_rate=1.0, clip=(0.0, 1.0))
    optimizer.tell(0.0, tf.constant([1.0, -1.0]))
    np.testing.assert_array_equal(optimizer.point, [0, 1])


# Going back


@pytest.mark.parametrize("kind", ["lbfgs", "adam", "sgd"])
def test_a_retreat_halves_the_step_from_the_last_good_point(kind):
    optimizer = fresh(kind)
    run(optimizer, 4)
    good = optimizer.point.numpy() if kind != "lbfgs" else optimizer.base.numpy()
    run(optimizer, 1)
    if kind == "lbfgs":
        good = optimizer.base.numpy()
    bad = optimizer.point.numpy()
    for halving in (0.5, 0.25, 0.125):
        optimizer.retreat()
        np.testing.assert_allclose(optimizer.point - good, halving * (bad - good), rtol=1e-3, atol=1e-6)


# States


def fresh(kind):
    start = tf.constant(PROBLEMS["Rosenbrock 10"][1], tf.float64)
    if kind == "lbfgs":
        return LBFGS(start, history=5)
    if kind == "half":
        return LBFGS(start.numpy(), history=5, half=True)
    if kind == "adam":
        return Adam(start, learning_rate=0.02, clip=(-1.0, 2.0))
    return SGD(start, learning_rate=1e-4, decay=0.9, decay_steps=7)


def run(optimizer, tells):
    """The points asked for, in turn."""
    points = []
    for _ in range(tells):
        loss, gradient = rosenbrock(np.array(optimizer.point))
        optimizer.tell(float(loss), gradient if isinstance(optimizer.point, np.ndarray) else tf.constant(gradient))
        points.append(np.array(optimizer.point))
    return points


def through_files(state):
    """Tensors through npz without pickling, everything else through JSON."""
    arrays = []

    def named(value):
        if isinstance(value, tf.Tensor | np.ndarray):
            arrays.append(np.array(value))
            return {"array": f"arr_{len(arrays) - 1}"}
        if isinstance(value, dict):
            return {name: named(item) for name, item in value.items()}
        return [named(item) for item in value] if isinstance(value, list) else value

    plain, file = json.dumps(named(state)), io.BytesIO()
    np.savez(file, *arrays)
    file.seek(0)
    loaded = np.load(file, allow_pickle=False)
    return json.loads(plain, object_hook=lambda found: loaded[found["array"]] if "array" in found else found)


@pytest.mark.parametrize("kind", ["lbfgs", "half", "adam", "sgd"])
def test_a_state_is_taken_up_exactly_after_any_number_of_steps(kind):
    backtracks = set()
    for tells in range(0, 40, 3 if kind != "lbfgs" else 1):
        original, restored = fresh(kind), fresh(kind)
        run(original, tells)
        backtracks.add(getattr(original, "backtracks", 0))
        restored.restore(through_files(original.state()))
        np.testing.assert_array_equal(run(restored, 12), run(original, 12))
    assert kind != "lbfgs" or max(backtracks) > 0  # so some were saved in the middle of a line search


@pytest.mark.parametrize("name", ["point", "another size", "odd", "products", "energies", "length"])
def test_a_damaged_state_is_refused(name):
    optimizer = fresh("lbfgs")
    run(optimizer, 20)
    size = len(optimizer.products) - 1  # there is room for one more row
    tables = {name: optimizer.state()[name][:size] for name in ("products", "energies")}
    wrong = {
        "point": {"point": tf.zeros(11)},
        "another size": {"pairs": {"matrices": [tf.zeros([2, 11])], "rows": [2]}},
        "odd": {"pairs": {"matrices": [tf.zeros([2 * size + 1, 10])], "rows": [2 * size + 1]}}
        | {name: [row[:size] for row in table] for name, table in tables.items()},
        "products": {"products": [[1.0]]},
        "energies": {"energies": [[1.0], [2.0]]},
        "length": {"length": "far"},
    }
    with pytest.raises((KeyError, TypeError, ValueError)):
        fresh("lbfgs").restore(optimizer.state() | wrong[name])


def test_a_state_is_taken_up_exactly_after_a_retreat():
    original, restored = fresh("lbfgs"), fresh("lbfgs")
    run(original, 6)
    original.retreat()
    restored.restore(original.state())
    np.testing.assert_array_equal(run(restored, 12), run(original, 12))


def test_a_state_is_a_copy_that_later_steps_leave_alone():
    original, restored = fresh("lbfgs"), fresh("lbfgs")
    run(original, 8)
    state = original.state()
    wanted = run(original, 12)
    restored.restore(state)
    np.testing.assert_array_equal(run(restored, 12), wanted)


@pytest.mark.parametrize(("ours", "theirs"), list(itertools.permutations(["lbfgs", "adam", "sgd"], 2)))
def test_the_state_of_another_optimiser_is_refused(ours, theirs):
    with pytest.raises(KeyError):
        fresh(ours).restore(fresh(theirs).state())


# From settings


def test_make_gives_what_the_presets_ask_for():
    start = tf.zeros([1, 2, 2, 3])
    lbfgs = make(preset("neural-style"), start, 255.0)
    assert isinstance(lbfgs, LBFGS)
    assert lbfgs.pairs.most == 2 * 100
    assert isinstance(lbfgs.pairs, Vectors)
    sgd = make(preset("keras-example"), start, 255.0)
    assert isinstance(sgd, SGD)
    assert (sgd.learning_rate, sgd.decay, sgd.decay_steps) == (100, 0.96, 100)
    adam = make(preset("tensorflow-tutorial"), start, 1.0)
    assert isinstance(adam, Adam)
    assert (adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon) == (0.02, 0.99, 0.999, 0.1)


def test_large_pictures_are_remembered_sparingly(monkeypatch):
    monkeypatch.setattr(budget, "LARGE", 40 * 50 - 1)
    monkeypatch.setattr(budget, "HISTORY_BYTES", 7 * 12 * 40 * 50)
    starts = (np.zeros([1, 40, width, 3], np.float32) for width in (50, 49))
    large, small = (make(preset("studio"), start, 255.0) for start in starts)
    assert large.pairs.most == 2 * 7
    assert isinstance(large.pairs, Halves)
    assert isinstance(large.point, np.ndarray)
    assert small.pairs.most == 2 * 20
    assert isinstance(small.pairs, Vectors)
    assert isinstance(small.point, tf.Tensor)


@pytest.mark.parametrize("pixel_range", [1.0, 255.0])
def test_make_scales_the_first_step_of_lbfgs_to_the_range(pixel_range):
    optimizer = make(Settings(learning_rate=2.0), tf.zeros([1, 4, 4, 3]), pixel_range)
    optimizer.tell(1.0, tf.random.stateless_normal([1, 4, 4, 3], seed=(0, 0)))
    assert np.sqrt(np.mean(optimizer.point.numpy() ** 2)) == pytest.approx(2 * pixel_range / 255, rel=1e-4)
