"""Pictures are replaced, and nothing else is changed."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_daemon.codecs import get_codec
from edge_daemon.errors import DamagedImageError, MessageError, NotAnImageError
from edge_daemon.errors import PayloadTooLargeError as TooLarge
from edge_daemon.gateway.coder import Coder
from edge_daemon.gateway.refusals import PictureError
from edge_daemon.gateway.rewriting import Rewriter
from edge_daemon.pictures import PictureLimits, to_png
from edge_daemon.prefilter import Prefilter
from support.gateway_rig import asking, chat, data_url, picture_part, pixels_of, seen, text_part
from support.pictures import smooth_picture

JPEG = get_codec({"id": "jpeg", "quality": 50})
SMALL = to_png(smooth_picture(24, 16))
SMALL_JPEG = JPEG.encode(smooth_picture(24, 16))
PLAIN = Rewriter(Coder(JPEG, None, PictureLimits()), max_body_bytes=10**6, max_pictures=3)

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = TEXT.filter(lambda name: name not in {"type", "messages", "image_url", "content"})
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(NAMES, JSON, max_size=3)


def a_picture(beside: dict[str, Any], detail: object) -> dict[str, Any]:
    return {**beside, **picture_part(data_url(SMALL), detail=detail)}


def an_address(beside: dict[str, Any]) -> dict[str, Any]:
    return {**beside, **picture_part("https://example.org/a.png")}


def a_text(beside: dict[str, Any], text: str) -> dict[str, Any]:
    return {**beside, **text_part(text)}


PICTURES = st.builds(a_picture, OBJECTS, JSON)
PARTS = st.builds(a_text, OBJECTS, TEXT) | st.builds(an_address, OBJECTS) | OBJECTS
CONTENTS = st.lists(PARTS, max_size=3) | TEXT | st.none()


@st.composite
def requests(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """A request with anything in it, and the places of its pictures."""
    messages: list[dict[str, Any]] = []
    places: list[tuple[int, int]] = []
    for index in range(draw(st.integers(0, 3))):
        content = draw(CONTENTS)
        if isinstance(content, list) and draw(st.booleans()):
            place = draw(st.integers(0, len(content)))
            content.insert(place, draw(PICTURES))
            places.append((index, place))
        role = draw(st.sampled_from(["user", "assistant", "system", "tool"]))
        messages.append({**draw(OBJECTS), "role": role, "content": content})
    return {**draw(OBJECTS), "messages": messages}, places


@given(requests())
@settings(deadline=None, max_examples=100)
def test_everything_but_the_pictures_stays(
    drawn: tuple[dict[str, Any], list[tuple[int, int]]],
) -> None:
    request, places = drawn
    body = json.dumps(request).encode()
    rewritten = PLAIN.rewrite(body)
    assert len(rewritten.pictures) == len(places)
    if not places:
        assert rewritten.body == body
    expected = copy.deepcopy(request)
    for message, part in places:
        url = data_url(SMALL_JPEG, "image/jpeg")
        expected["messages"][message]["content"][part]["image_url"]["url"] = url
    # As text: True and 1, or 1 and 1.0, are equal to Python and not to JSON.
    assert as_text(json.loads(rewritten.body)) == as_text(expected)


def as_text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


@given(st.binary(max_size=100))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_passed_on_as_they_are_or_refused(data: bytes) -> None:
    try:
        rewritten = PLAIN.rewrite(data)
    except MessageError:
        return
    assert rewritten.body == data
    assert isinstance(json.loads(data), dict)


def test_each_picture_is_filtered_by_its_own_question(
    halves: NDArray[np.uint8], prefilter: Prefilter
) -> None:
    part = picture_part(data_url(to_png(halves)))
    messages = [
        {"role": "user", "content": [part, text_part(f"the {colour} car")]}
        for colour in ("red", "blue")
    ]
    rewriter = Rewriter(
        Coder(JPEG, prefilter, PictureLimits()), max_body_bytes=10**7, max_pictures=3
    )
    # The second question is about the first picture too, so it comes first here.
    rewritten = rewriter.rewrite(json.dumps({"messages": messages[::-1]}).encode())
    files = [seen(json.loads(rewritten.body), message)[1] for message in (0, 1)]
    errors = np.abs([pixels_of(file).astype(float) - halves for file in files])
    left, right = errors[:, :, :200].mean((1, 2, 3)), errors[:, :, 400:].mean((1, 2, 3))
    assert left[1] < right[1]  # asked about red alone
    assert right[0] < right[1]  # asked about blue as well
    assert [len(file) for file in files] == [one.bytes_out for one in rewritten.pictures]


def test_addresses_are_counted_and_left_alone() -> None:
    request = chat(picture_part("https://example.org/a.png"), picture_part(data_url(SMALL)))
    rewritten = PLAIN.rewrite(json.dumps(request).encode())
    assert rewritten.untouched == 1
    assert (
        json.loads(rewritten.body)["messages"][0]["content"][0]
        == request["messages"][0]["content"][0]
    )


def test_too_many_pictures_are_refused_before_any_is_looked_at() -> None:
    request = chat(*[picture_part(data_url(b"no picture"))] * 4)
    with pytest.raises(TooLarge, match=r"may have 3 pictures \(got 4 pictures\).*max_pictures"):
        PLAIN.rewrite(json.dumps(request).encode())


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (data_url(b"no picture"), NotAnImageError),
        (data_url(b""), NotAnImageError),
        (data_url(SMALL[:60]), DamagedImageError),
        ("data:image/png;base64,???", MessageError),
    ],
)
def test_a_bad_picture_is_named_by_its_place(url: str, kind: type[Exception]) -> None:
    request = chat(text_part("red"), picture_part(data_url(SMALL)), picture_part(url))
    with pytest.raises(PictureError) as caught:
        PLAIN.rewrite(json.dumps(request).encode())
    assert isinstance(caught.value.error, kind)
    assert caught.value.place == "messages[0].content[2].image_url"


def test_schemas_of_tools_may_be_deep_but_not_without_end() -> None:
    def nested(levels: int) -> bytes:
        return b'{"tools":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"

    assert PLAIN.rewrite(nested(63)).body == nested(63)
    with pytest.raises(MessageError, match="nested deeper than 64 levels"):
        PLAIN.rewrite(nested(64))
    with pytest.raises(MessageError, match="nested deeper"):
        PLAIN.rewrite(nested(100_000))


def test_what_is_logged_of_it_shows_no_picture_and_no_text(halves: NDArray[np.uint8]) -> None:
    rewritten = PLAIN.rewrite(json.dumps(asking(halves[:50], "SECRET")).encode())
    assert len(repr(rewritten)) < 300
    assert "SECRET" not in repr(rewritten)
