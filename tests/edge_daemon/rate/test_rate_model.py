from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_daemon.bench.scenes import scene
from edge_daemon.rate import Policy, path_of
from edge_daemon.rate.detail import Detail
from edge_daemon.rate.model import BytesModel, FrameModel
from edge_daemon.rate.scales import usual_bytes
from support.curves import Curve, formula_bytes

DETAIL = Detail.of(scene(160, 120))
PATH = path_of(Curve(), Policy())


def new_model() -> BytesModel:
    return BytesModel(usual_bytes(Curve, -38 / 8), -21 / 8)


def size_at(index: int, best: float, slope: float = 0.8) -> int:
    return formula_bytes(PATH.attempts[index], best=best, slope=slope)


def errors(frame: FrameModel, best: float) -> np.ndarray:
    """Octaves by which the predictions are off the formula."""
    truth = [frame.logarithm(size_at(n, best)) for n in range(len(PATH))]
    return frame.predict()[0] - np.array(truth)


def test_the_second_encode_of_a_frame_settles_its_line() -> None:
    frame = new_model().of_frame(DETAIL, PATH)
    far = np.abs(errors(frame, 90_000)).max()
    frame.observe(5, size_at(5, 90_000))
    near = np.abs(errors(frame, 90_000))
    assert near[5] < 0.03
    frame.observe(25, size_at(25, 90_000))
    line = np.abs(errors(frame, 90_000))
    assert line[5:26].max() < 0.2
    assert far > 4 * line[5:26].max()


def test_what_was_encoded_is_certain() -> None:
    frame = new_model().of_frame(DETAIL, PATH)
    spreads = [frame.predict()[1]]
    for index in (3, 30, 45):
        frame.observe(index, size_at(index, 50_000))
        spreads.append(frame.predict()[1])
        assert spreads[-1][index] < 0.05 < spreads[-2][index]
    assert spreads[-1][3] < 0.05


def test_a_camera_learns_its_offset_and_how_little_its_frames_differ() -> None:
    rng = np.random.default_rng(5)
    model = new_model()
    first = model.of_frame(DETAIL, PATH).predict()[1][10]
    for _ in range(40):
        frame = model.of_frame(DETAIL, PATH)
        frame.observe(10, round(size_at(10, 120_000) * 2 ** rng.normal(0, 0.02)))
        model.learn(frame)
    frame = model.of_frame(DETAIL, PATH)
    assert abs(errors(frame, 120_000)[10]) < 0.05
    assert 0.02 < frame.predict()[1][10] < 0.1 < first


def test_frames_that_differ_stay_uncertain() -> None:
    rng = np.random.default_rng(6)
    model = new_model()
    for _ in range(60):
        frame = model.of_frame(DETAIL, PATH)
        frame.observe(10, round(size_at(10, 120_000) * 2 ** rng.normal(0, 0.3)))
        model.learn(frame)
    assert 0.2 < model.of_frame(DETAIL, PATH).predict()[1][10] < 0.5


def test_one_odd_frame_does_not_mislead_the_camera() -> None:
    model = new_model()
    for factor in (*[1.0] * 20, 40.0):
        frame = model.of_frame(DETAIL, PATH)
        frame.observe(10, round(size_at(10, 100_000) * factor))
        model.learn(frame)
    assert abs(errors(model.of_frame(DETAIL, PATH), 100_000)[10]) < 0.5


def test_a_new_level_is_followed() -> None:
    model = new_model()
    for best in (*[100_000] * 20, *[400_000] * 8):
        frame = model.of_frame(DETAIL, PATH)
        frame.observe(10, size_at(10, best))
        model.learn(frame)
    assert abs(errors(model.of_frame(DETAIL, PATH), 400_000)[10]) < 0.15


def test_a_frame_without_encodes_teaches_nothing() -> None:
    model = new_model()
    before = model.of_frame(DETAIL, PATH).predict()
    model.learn(model.of_frame(DETAIL, PATH))
    after = model.of_frame(DETAIL, PATH).predict()
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])


@given(
    encodes=st.lists(
        st.dictionaries(st.integers(0, len(PATH) - 1), st.integers(0, 2**40), max_size=6),
        max_size=12,
    )
)
@settings(deadline=None, max_examples=150)
def test_no_bytes_whatever_break_it(encodes: list[dict[int, int]]) -> None:
    model = new_model()
    for frame_encodes in encodes:
        frame = model.of_frame(DETAIL, PATH)
        for index, size in frame_encodes.items():
            frame.observe(index, size)
        means, spreads = frame.predict()
        assert np.all(np.isfinite(means))
        assert np.all(np.isfinite(spreads))
        assert np.all(spreads > 0)
        model.learn(frame)


def test_headers_do_not_count_as_content() -> None:
    jpeg = BytesModel(usual_bytes(Curve, 0.0), 0.0).of_frame(DETAIL, PATH)
    assert jpeg.logarithm(DETAIL.pixels) == pytest.approx(0.0)
    assert np.isfinite(jpeg.logarithm(0))
