"""Which pictures a request has, and what each is asked."""

from __future__ import annotations

from typing import Any

import pytest

from edge_daemon.errors import MessageError
from edge_daemon.gateway.request import PicturePart, pictures_of
from edge_daemon.wire import MAX_PROMPTS
from support.gateway_rig import chat, data_url, picture_part, text_part

PICTURE = picture_part(data_url(b"a file"))


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [*content]}


def prompts(*messages: dict[str, Any]) -> list[tuple[str, ...]]:
    return [part.prompts for part in pictures_of({"messages": [*messages]})]


def only(request: dict[str, Any]) -> PicturePart:
    (part,) = pictures_of(request)
    return part


def test_a_picture_is_asked_all_text_of_its_message_wherever_it_stands() -> None:
    message = user(text_part("Look. "), PICTURE, text_part("Where is the dog?"), PICTURE)
    assert prompts(message) == [("Look. \nWhere is the dog?",)] * 2


def test_one_without_text_is_asked_what_the_user_said_last() -> None:
    said = [
        {"role": "user", "content": "Where is the dog?"},
        {"role": "user", "content": "And the cat?"},
        {"role": "assistant", "content": "Show me."},
    ]
    assert prompts(*said, user(PICTURE)) == [("And the cat?",)]


def test_later_questions_of_the_user_are_about_it_too() -> None:
    said = [
        user(PICTURE, text_part("Where is the dog?")),
        {"role": "assistant", "content": "On the left, beside a sign."},
        {"role": "user", "content": "What does the sign say?"},
        {"role": "user", "content": "Where is the dog?"},
    ]
    assert prompts(*said) == [("Where is the dog?", "What does the sign say?")]


def test_of_a_long_conversation_the_first_and_the_latest_questions_count() -> None:
    later = [{"role": "user", "content": f"Question {number}"} for number in range(1, 40)]
    (asked,) = prompts(user(PICTURE, text_part("Question 0")), *later)
    assert asked == ("Question 0", *(f"Question {number}" for number in range(25, 40)))
    assert len(asked) == MAX_PROMPTS


@pytest.mark.parametrize(
    "messages",
    [
        [user(PICTURE)],
        [{"role": "system", "content": "Be brief."}, user(text_part(" \n"), PICTURE)],
        [{"role": "assistant", "content": "Hello."}, user(PICTURE)],
    ],
)
def test_without_any_text_of_the_user_there_is_nothing_asked(messages: list[Any]) -> None:
    assert prompts(*messages) == [()]


def test_places_name_message_and_part() -> None:
    message = user(text_part("a"), PICTURE)
    request = {"messages": [{"role": "user", "content": "b"}, message]}
    assert only(request).place == "messages[1].content[1].image_url"


def test_bare_urls_count_as_some_servers_take_them() -> None:
    request = chat({"type": "image_url", "image_url": data_url(b"a file")})
    part = only(request)
    assert part.content() == b"a file"
    part.replace("image/jpeg", b"another")
    assert request["messages"][0]["content"][0]["image_url"] == data_url(b"another", "image/jpeg")


def test_a_replaced_picture_keeps_what_stands_beside_it() -> None:
    request = chat(picture_part(data_url(b"a file"), detail="low"))
    only(request).replace("image/jpeg", b"another")
    assert request == chat(picture_part(data_url(b"another", "image/jpeg"), detail="low"))


def test_any_number_of_messages_takes_linear_time() -> None:
    # Otherwise the test's own time limit would end it.
    said = [{"role": "user", "content": f"Question {number}"} for number in range(100_000)]
    pictures = pictures_of({"messages": [user(PICTURE), *said, user(PICTURE)]})
    latest = tuple(f"Question {number}" for number in range(99_985, 100_000))
    assert [one.prompts for one in pictures] == [latest, latest[-1:]]


@pytest.mark.parametrize(
    "request_body",
    [
        {},
        {"messages": None},
        {"messages": {"content": [PICTURE]}},
        {"messages": ["text", 3, None, [PICTURE]]},
        {"messages": [{"role": "user"}, {"role": "user", "content": None}]},
        {"messages": [{"role": "user", "content": ["text", 1, None]}]},
        chat({"type": "image_url"}, {"type": "image_url", "image_url": {"url": 3}}),
        chat({"type": "image_url", "image_url": None}, {"type": "input_audio"}),
        chat({"type": "other", "image_url": {"url": data_url(b"x")}}),
    ],
)
def test_what_is_of_another_form_is_left_to_the_upstream(request_body: dict[str, Any]) -> None:
    assert pictures_of(request_body) == []


def test_texts_that_are_none_say_nothing() -> None:
    assert prompts(user(PICTURE, {"type": "text", "text": 3}, {"type": "text"})) == [()]


@pytest.mark.parametrize(
    "url",
    [
        "DATA:image/png;BASE64,YSBmaWxl",
        "data:;base64,YSBmaWxl",
        "data:image/png;name=a.png;base64,YSBmaWxl",
    ],
)
def test_data_urls_of_every_spelling_are_read(url: str) -> None:
    part = only(chat(picture_part(url)))
    assert part.is_data
    assert part.content() == b"a file"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("data:image/png,%89PNG", "it does not say that it is"),
        ("data:image/png;base64", "it does not say that it is"),
        ("data:image/png;base64,YSBmaWx", "padding"),
        ("data:image/png;base64,YSBm aWxl", "Only base64 data is allowed|Excess|Non-base64"),
        ("data:image/png;base64,ü", "ASCII"),
    ],
)
def test_what_is_not_base64_is_refused_by_its_beginning(url: str, why: str) -> None:
    with pytest.raises(
        MessageError, match=rf"not in base64: .*({why}).*'data:image/png.*send data"
    ):
        only(chat(picture_part(url))).content()


def test_an_error_shows_no_more_than_the_beginning() -> None:
    with pytest.raises(MessageError) as caught:
        only(chat(picture_part("data:image/png;base64," + "A" * 50_001))).content()
    assert len(str(caught.value)) < 400
    assert "50023 characters" in str(caught.value)


@pytest.mark.parametrize("url", ["http://a/b.png", "https://a/b.png", "file:///etc/passwd", ""])
def test_addresses_are_told_from_pictures(url: str) -> None:
    assert not only(chat(picture_part(url))).is_data
