"""Texts in whatever a language model wrote."""

from __future__ import annotations

import pytest

from edge_daemon.semantic.refiners.answers import prompts_in


@pytest.mark.parametrize(
    "answer",
    [
        '{"prompts": ["a red car", "a blue bus"]}',
        ' \n{"thoughts": "hm", "prompts": ["a red car", "", " a blue bus ", 3, "a red car"]}\n',
        'Sure! Here they are:\n```json\n{"prompts": ["a red car", "a blue bus"]}\n```\nEnjoy.',
        '["a red car", "a blue bus"]',
        'I thought of [1] and {this}: ["a red car", "a blue bus"]',
        '<think>{"prompts": ["no"]}</think>{"prompts": ["a red car", "a blue bus"]}',
        '{"prompts": ["a red car", "a blue bus", "a gre',
        '{"prompts": ["a red car",\n "a blue bus",',
        "1. a red car\n2. a blue bus",
        'Here:\n\n1) **a red car**\n2) "a blue bus"\n\nThat\'s all.',
        "- a red car\n- a blue bus",
        "• a red car\r\n• a blue bus",
    ],
)
def test_texts_are_found_in_what_models_write(answer: str) -> None:
    assert prompts_in(answer) == ("a red car", "a blue bus")


def test_escapes_are_those_of_json() -> None:
    answer = '{"prompts": ["a \\"STOP\\" sign\\n\\u00e9", "x\\ud800'
    assert prompts_in(answer) == ('a "STOP" sign\né',)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "A red car.",
        "<html><body>Sign in</body></html>",
        "{}",
        '{"prompts": "a red car"}',
        '{"prompts": [1, null, {}]}',
        "[" * 60_000,
        '{"a":' * 60_000,
        '{"prompts": [' + '"' * 60_000,
    ],
)
def test_anything_else_holds_none(answer: str) -> None:
    assert prompts_in(answer) == ()
