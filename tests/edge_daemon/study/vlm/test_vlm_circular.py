"""What is asked: prompts, rotations, samples."""

from __future__ import annotations

from pathlib import Path

from edge_daemon.study.vlm.circular import items_of, rotated
from edge_daemon.study.vlm.prompts import prompt_of
from edge_daemon.study.vlm.questions import Question, QuestionFile
from edge_daemon.study.vlm.sample import sample
from support.benchmark_tsv import choice, pair, write_tsv


def read(tmp_path: Path, *rows: dict[str, object]) -> list[Question]:
    return QuestionFile(write_tsv(tmp_path / "b.tsv", rows)).questions


def test_the_prompt_is_vlmevalkits(tmp_path: Path) -> None:
    hinted, plain = read(tmp_path, choice(1, "red", hint="Look twice."), choice(2, "red"))
    assert prompt_of(hinted) == (
        "Hint: Look twice.\nQuestion: What colour is it?\nOptions:\nA. red\nB. green\nC. blue\n"
        "Please select the correct answer from the options above. \n"
    )
    assert prompt_of(plain).startswith("Question: What colour is it?\n")


def test_a_yes_no_question_is_asked_as_it_stands(tmp_path: Path) -> None:
    question, _ = read(tmp_path, *pair(0, "red", "color", "blue"))
    assert prompt_of(question) == "Is it red? Please answer yes or no."


def test_rotations_keep_letters_and_move_texts(tmp_path: Path) -> None:
    (question,) = read(tmp_path, choice(1, "red"))
    turned = rotated(question)
    assert [one.options for one in turned] == [
        {"A": "green", "B": "blue", "C": "red"},
        {"A": "blue", "B": "red", "C": "green"},
    ]
    assert [one.answer for one in turned] == ["C", "B"]
    assert all(one.options[one.answer] == "red" for one in turned)


def test_each_rotation_is_a_pass(tmp_path: Path) -> None:
    (question,) = read(tmp_path, choice(1, "red"))
    (item,) = items_of([question], circular=True)
    assert item.passes == (question, *rotated(question))
    (item,) = items_of([question], circular=False)
    assert item.passes == (question,)


def test_rotations_in_the_file_are_used(tmp_path: Path) -> None:
    turned = {"A": "blue", "B": "red", "C": "green", "answer": "B", "image": "3"}
    questions = read(
        tmp_path, choice(3, "red"), choice(1_000_003, "red", **turned), choice(4, "blue")
    )
    first, second = items_of(questions, circular=True)
    assert [one.index for one in first.passes] == ["3", "1000003"]
    assert len(second.passes) == 3
    plain = items_of(questions, circular=False)
    assert [[one.index for one in item.passes] for item in plain] == [["3"], ["4"]]


def test_a_high_index_alone_makes_no_rotation(tmp_path: Path) -> None:
    other = choice(1_000_003, "red", A="a", B="b", C="c")
    items = items_of(read(tmp_path, choice(3, "red"), other), circular=False)
    assert [item.question.index for item in items] == ["3", "1000003"]


def test_yes_no_questions_have_no_rotations(tmp_path: Path) -> None:
    items = items_of(read(tmp_path, *pair(0, "red", "color", "blue")), circular=True)
    assert [len(item.passes) for item in items] == [1, 1]


def test_a_sample_is_drawn_by_its_seed_and_grows_with_its_limit(tmp_path: Path) -> None:
    items = items_of(read(tmp_path, *(choice(n, "red") for n in range(40))), circular=False)
    few, more = sample(items, 5, 1), sample(items, 9, 1)
    assert few == sample(items, 5, 1) != sample(items, 5, 2)
    assert len(few) == 5
    assert {item.question.index for item in few} < {item.question.index for item in more}
    places = [items.index(item) for item in more]
    assert places == sorted(places)
    assert sample(items, None, 1) == sample(items, 99, 1) == items


def test_a_sample_of_yes_no_questions_holds_whole_pictures(tmp_path: Path) -> None:
    rows = [row for n in range(0, 20, 2) for row in pair(n, "red", "color", "blue")]
    drawn = sample(items_of(read(tmp_path, *rows), circular=False), 5, 1)
    pictures = [item.question.picture for item in drawn]
    assert len(drawn) == 6
    assert all(pictures.count(name) == 2 for name in pictures)
