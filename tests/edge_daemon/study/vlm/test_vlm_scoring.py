"""Accuracy by the benchmarks' rules, against examples worked out by hand."""

from __future__ import annotations

import pytest

from edge_daemon.study.vlm.answers import Answered
from edge_daemon.study.vlm.circular import Item, items_of
from edge_daemon.study.vlm.questions import Question
from edge_daemon.study.vlm.scoring import Judged, Score, judged, scores_of


def question(index: int, answer: str, **changes: object) -> Question:
    options = {} if answer in {"Yes", "No"} else {"A": "cat", "B": "dog", "C": "cow"}
    values: dict[str, object] = {
        **{"line": index + 2, "index": str(index), "text": "?", "hint": "", "options": options},
        **{"answer": answer, "category": "c", "l2_category": "", "split": "", "picture": "p"},
        **{"picture_at": 0, **changes},
    }
    return Question(**values)  # pyright: ignore[reportArgumentType]


def scored(asked: Question, *answers: str, series: str = "plain", circular: bool = False) -> Judged:
    (item,) = items_of([asked], circular=circular)
    return judged(item, Answered(asked.index, series, "jpeg", 40, 100, 400, 400, answers))


def by_group(found: list[Judged]) -> dict[str, Score]:
    return {score.group: score for score in scores_of(found)}


def test_mme_by_hand() -> None:
    """Two pictures of `count`: 3 of 4 right, 1 of 2 whole: 75 + 50. One of `OCR`: 2 of 2, 1 of 1.

    One of `code_reasoning`: 1 of 2 right, none whole: 50.
    """
    answers = {
        ("count", "1"): ("Yes", "No"),
        ("count", "2"): ("Yes", "Yes"),
        ("OCR", "3"): ("yes, it is", "No."),
        ("code_reasoning", "4"): ("I cannot tell", "no"),
    }
    found = [
        scored(question(2 * n + k, right, category=category, picture=picture), said)
        for n, ((category, picture), pair) in enumerate(answers.items())
        for k, (right, said) in enumerate(zip(("Yes", "No"), pair, strict=True))
    ]
    groups = by_group(found)
    assert groups["count"] == Score("plain", "jpeg", 40, "count", 4, 0.75, 2, 0.5, 125.0)
    assert groups["OCR"].score == 200.0
    assert groups["code_reasoning"].score == 50.0
    assert groups["perception"].score == 325.0
    assert (groups["perception"].questions, groups["perception"].accuracy) == (6, 5 / 6)
    assert groups["cognition"].score == 50.0
    assert (groups["overall"].questions, groups["overall"].accuracy) == (8, 6 / 8)


def test_a_picture_with_one_answer_counts_for_acc_but_not_for_acc_plus() -> None:
    found = [
        scored(question(0, "Yes", category="OCR", picture="1"), "Yes"),
        scored(question(1, "No", category="OCR", picture="1"), "Yes"),
        scored(question(2, "Yes", category="OCR", picture="2"), "Yes"),
    ]
    ocr = by_group(found)["OCR"]
    assert (ocr.questions, ocr.accuracy, ocr.pictures, ocr.accuracy_plus) == (3, 2 / 3, 1, 0.0)


def test_without_a_whole_picture_there_is_no_score() -> None:
    groups = by_group([scored(question(0, "Yes", category="OCR"), "Yes")])
    assert (groups["OCR"].pictures, groups["OCR"].accuracy_plus, groups["OCR"].score) == (
        0,
        None,
        None,
    )
    assert "perception" not in groups


def test_choices_are_shares_overall_and_by_category() -> None:
    found = [
        scored(question(0, "A", category="x", l2_category="X"), "A"),
        scored(question(1, "A", category="y", l2_category="X"), "B"),
        scored(question(2, "A", category="y", l2_category="Y"), "(A)"),
        scored(question(3, "A", category="", l2_category="Y"), "who knows"),
    ]
    shares = {name: (one.questions, one.accuracy) for name, one in by_group(found).items()}
    assert shares == {
        "overall": (4, 0.5),
        "X": (2, 0.5),
        "Y": (2, 0.5),
        "x": (1, 1.0),
        "y": (2, 0.5),
    }


def test_conditions_are_scored_apart() -> None:
    found = [
        scored(question(0, "A"), "A"),
        scored(question(0, "A"), "B", series="prefilter"),
    ]
    overall = [one for one in scores_of(found) if one.group == "overall"]
    assert [(one.series, one.accuracy) for one in overall] == [("plain", 1.0), ("prefilter", 0.0)]


@pytest.mark.parametrize(
    ("answers", "right"),
    [
        (("A", "C", "B"), True),
        (("cat", "cat", "cat"), True),
        (("A", "C", "C"), False),
        (("A", "A", "A"), False),
        (("A", "B"), False),
    ],
)
def test_circular_needs_every_rotation(answers: tuple[str, ...], right: bool) -> None:
    assert scored(question(0, "A"), *answers, circular=True).right is right


def test_without_it_the_question_itself_decides() -> None:
    assert scored(question(0, "A"), "A").right


def test_fewer_answers_than_passes_are_not_right() -> None:
    asked = question(0, "A")
    item = Item(asked, (asked, asked))
    said = Answered("0", "plain", "jpeg", 40, 1, 1, 1, ("A",))
    assert not judged(item, said).right
