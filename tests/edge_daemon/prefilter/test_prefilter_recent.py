from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_daemon.prefilter.recent import Recent

steps = st.tuples(st.sampled_from("abcde"), st.none() | st.integers())


@given(st.integers(1, 4), st.lists(steps, max_size=40))
def test_the_cameras_used_last_are_remembered_and_no_others(
    cameras: int, done: list[tuple[str, int | None]]
) -> None:
    recent: Recent[int] = Recent(cameras)
    model: dict[str, int] = {}
    for camera, value in done:
        if value is None:
            assert recent.get(camera) == model.get(camera)
            if camera in model:
                model[camera] = model.pop(camera)
        else:
            recent.put(camera, value)
            model.pop(camera, None)
            model[camera] = value
            if len(model) > cameras:
                del model[next(iter(model))]
        assert len(recent) == len(model)
