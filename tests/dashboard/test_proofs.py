"""Proofs: which small pictures are made, and what becomes of the one that is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nst.config import BUILTIN, PRESETS, Settings, preset
from nst.dashboard.order import variants
from tests.dashboard.pages import choose_preset, said, shown, upload

settings = st.builds(
    Settings,
    size=st.integers(32, 4096),
    strength=st.floats(0, 100),
    style_scale=st.floats(0.1, 4),
    scales=st.integers(1, 6),
    seed=st.integers(0, 2**31 - 1),
    init=st.sampled_from(["content", "noise", "statistics", "picture"]),
    pooling=st.sampled_from(["max", "average"]),
    tv_weight=st.floats(0, 10),
)


@given(settings)
def test_nine_proofs_differ_in_strength_and_strokes_alone(full):
    sheet = variants.strengths_and_strokes(full)
    assert len({(proof.strength, proof.style_scale) for proof in sheet}) == 9
    assert len({proof.replace(strength=0, style_scale=1) for proof in sheet}) == 1
    assert {proof.size for proof in sheet} == {min(variants.PROOF_SIZE, full.size)}
    assert all(proof.init != "picture" for proof in sheet)
    assert {proof.pooling for proof in sheet} == {full.pooling}


@given(st.floats(20, 80), st.sampled_from([0.4, 0.5, 1.0, 1.25]))
def test_the_current_settings_are_in_the_middle_of_the_sheet(strength, stroke):
    middle = variants.strengths_and_strokes(Settings(strength=strength, style_scale=stroke))[4]
    assert (middle.strength, middle.style_scale) == (strength, stroke)


@given(settings)
def test_six_proofs_differ_in_the_seed_alone(full):
    sheet = variants.seeds(full)
    assert len({proof.seed for proof in sheet}) == 6
    assert len({proof.replace(seed=0) for proof in sheet}) == 1


@given(settings, st.integers(0, 8))
def test_the_full_picture_never_falls_below_the_proof(full, number):
    proof = variants.strengths_and_strokes(full)[number]
    painted = variants.painted_from(full, proof)
    assert painted.scales == 1 or painted.size / 2 ** (painted.scales - 1) >= proof.size
    assert painted.scales <= full.scales
    kept = {"strength": 0, "style_scale": 1, "seed": 0, "init": "content", "scales": 1}
    assert painted.replace(**kept) == full.replace(**kept)
    assert (painted.strength, painted.style_scale, painted.init) == (proof.strength, proof.style_scale, "picture")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(variants, "PROOF_SIZE", 32)
    monkeypatch.setattr(variants, "COARSE_ITERATIONS", 1)
    monkeypatch.setattr(variants, "ITERATIONS", 1)


def test_a_sheet_is_painted_and_one_of_it_in_full(studio, jobs, gallery, quick):
    upload(studio)
    studio.slider("strength_studio").set_value(40)
    studio.number_input("iterations_studio").set_value(3)
    shown(studio.run())
    shown(studio.button("proofs").click().run())
    (sheet,) = jobs.snapshots()
    assert (len(sheet.order.variants), sheet.order.network) == (9, BUILTIN)
    jobs.run_pending()
    shown(studio.run())
    assert "Strength 20 · strokes 60 %" in said(studio)
    assert "Strength 60 · strokes 160 %" in said(studio)
    assert gallery.query().total == 0

    proof = jobs.get(sheet.id).proofs[8]
    shown(studio.button(f"proof_{sheet.id}_8").click().run())
    order = jobs.snapshots()[0].order
    assert gallery.input_path(order.initial).read_bytes() == proof.picture
    assert order.settings == variants.painted_from(sheet.order.settings, proof.settings)
    assert (order.settings.strength, order.settings.iterations, order.settings.size) == (60, 3, 512)
    assert (order.variants, order.network) == ((), None)


def test_seeds_are_varied_where_painting_starts_from_noise(studio, jobs):
    upload(studio)
    shown(studio.selectbox("init_studio").set_value("noise").run())
    shown(studio.segmented_control("proofs_kind").set_value("Seeds").run())
    shown(studio.button("proofs").click().run())
    assert [proof.seed for proof in jobs.snapshots()[0].order.variants] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", list(PRESETS))
def test_classic_programs_have_no_strength_to_vary(studio, name):
    choose_preset(upload(studio), name)
    there = [button.key for button in studio.button if button.key == "proofs"]
    assert there == (["proofs"] if preset(name).strength is not None else [])
