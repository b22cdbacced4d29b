"""Reading VLMEvalKit's TSV files."""

from __future__ import annotations

import base64
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.errors import DamagedImageError, UnsupportedError
from edge_daemon.pictures import open_picture
from edge_daemon.study.vlm.questions import BadRow, QuestionFile
from support.benchmark_tsv import choice, pair, picture, write_tsv


def test_a_row_becomes_a_question(tmp_path: Path) -> None:
    row = choice(7, "blue", hint="Look.", split="dev", **{"l2-category": "colours"})
    (question,) = QuestionFile(write_tsv(tmp_path / "b.tsv", [row])).questions
    assert (question.line, question.index, question.text) == (2, "7", "What colour is it?")
    assert question.options == {"A": "red", "B": "green", "C": "blue"}
    assert (question.answer, question.hint, question.split) == ("C", "Look.", "dev")
    assert (question.category, question.l2_category) == ("of blue", "colours")


def test_empty_cells_and_nan_are_no_values(tmp_path: Path) -> None:
    rows = [choice(1, "red", hint="nan", C="", D="nan"), choice(2, "red", D="none of these")]
    first, second = QuestionFile(write_tsv(tmp_path / "b.tsv", rows)).questions
    assert (first.hint, list(first.options)) == ("", ["A", "B"])
    assert list(second.options) == ["A", "B", "C", "D"]


def test_yes_and_no_may_be_written_small(tmp_path: Path) -> None:
    rows = [
        {**row, "answer": str(row["answer"]).lower()} for row in pair(0, "red", "color", "blue")
    ]
    first, second = QuestionFile(write_tsv(tmp_path / "m.tsv", rows)).questions
    assert (first.answer, second.answer, first.options) == ("Yes", "No", {})
    assert first.picture == second.picture == "color/0.png"


def test_a_picture_may_be_another_rows(tmp_path: Path) -> None:
    rows = [choice(5, "red", image="9"), choice(9, "blue"), choice(6, "red")]
    file = QuestionFile(write_tsv(tmp_path / "b.tsv", rows))
    shown = [open_picture(file.picture_of(question)).pixels for question in file.questions]
    for pixels, colour in zip(shown, ("blue", "blue", "red"), strict=True):
        assert np.array_equal(pixels, picture(colour))
    keys = [question.picture for question in file.questions]
    assert keys[0] == keys[1] != keys[2]


def test_cells_with_line_breaks_and_quotes(tmp_path: Path) -> None:
    rows = [choice(1, "red", question='Two\nlines and\ta "tab"?'), choice(2, "blue")]
    file = QuestionFile(write_tsv(tmp_path / "b.tsv", rows))
    first, second = file.questions
    assert first.text == 'Two\nlines and\ta "tab"?'
    assert (first.line, second.line) == (2, 4)
    assert np.array_equal(open_picture(file.picture_of(second)).pixels, picture("blue"))


def test_lines_may_end_as_on_windows_and_begin_with_a_mark(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "b.tsv", [choice(1, "red"), choice(2, "blue")])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    file = QuestionFile(path)
    assert [question.index for question in file.questions] == ["1", "2"]
    pixels = open_picture(file.picture_of(file.questions[1])).pixels
    assert np.array_equal(pixels, picture("blue"))


def test_pictures_larger_than_what_csv_usually_takes(tmp_path: Path) -> None:
    large = bytes(200_000)
    row = choice(1, "red", image=base64.b64encode(large).decode("ascii"))
    file = QuestionFile(write_tsv(tmp_path / "b.tsv", [row, choice(2, "blue")]))
    assert file.picture_of(file.questions[0]) == large
    assert len(file.questions) == 2


def test_pictures_do_not_stay_in_memory(tmp_path: Path) -> None:
    megabyte = base64.b64encode(bytes(750_000)).decode("ascii")
    rows = [choice(n, "red", image=megabyte) for n in range(24)]
    path = write_tsv(tmp_path / "b.tsv", rows)
    tracemalloc.start()
    try:
        file = QuestionFile(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(file.questions) == 24
    assert path.stat().st_size > 24e6 > 2 * most


BAD = [
    ({"index": ""}, "it has no index"),
    ({"question": " "}, "it has no question"),
    ({"image": ""}, "it has no picture"),
    ({"image": "['a','b']"}, "it has several pictures"),
    ({"image": "404"}, "its picture is that of row '404', which has none"),
    ({"image": "2"}, "its picture is that of row '2', which has none"),
    ({"answer": ""}, "it has no answer (benchmarks keep those of their test split to themselves)"),
    ({"answer": "D"}, "its answer 'D' is none of A, B, C"),
    ({"A": "", "B": "", "C": ""}, "its answer 'A' is none of Yes, No"),
    ({"index": 1}, "line 2 has the same index"),
    ({"question": "\udcff\udcfe?"}, "not in UTF-8"),
]


@pytest.mark.parametrize(("change", "problem"), BAD, ids=[problem for _, problem in BAD])
def test_a_bad_row_costs_one_question(
    tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    rows = [choice(1, "red"), {**choice(2, "red"), **change}, choice(3, "red")]
    path = tmp_path / "b.tsv"
    lines = ["\t".join(str(row[name]) for name in rows[0]) for row in rows]
    text = "\n".join(["\t".join(rows[0]), *lines, ""])
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    file = QuestionFile(path)
    assert [question.index for question in file.questions] == ["1", "3"]
    (bad,) = file.bad
    assert bad.line == 3
    assert problem in bad.problem


def test_a_row_with_too_few_cells_is_named(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "b.tsv", [choice(1, "red"), choice(2, "red")])
    with path.open("a", encoding="utf-8") as file:
        file.write("3\tabc\n")
    read = QuestionFile(path)
    assert len(read.questions) == 2
    assert read.bad == [BadRow(4, "", "2 cells under 8 columns")]


def test_a_picture_that_is_not_base64_costs_its_question(tmp_path: Path) -> None:
    row = choice(1, "red", image="!" * 100)
    file = QuestionFile(write_tsv(tmp_path / "b.tsv", [row]))
    with pytest.raises(DamagedImageError, match="row of question 1"):
        file.picture_of(file.questions[0])


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n\x00\x01", b"a\tb\n1\t2\n"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b.tsv"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match=r"b\.tsv has no column 'index'"):
        QuestionFile(path)


def test_the_digest_is_of_all_bytes(tmp_path: Path) -> None:
    one = QuestionFile(write_tsv(tmp_path / "1.tsv", [choice(1, "red")])).digest
    same = QuestionFile(write_tsv(tmp_path / "2.tsv", [choice(1, "red")])).digest
    other = QuestionFile(write_tsv(tmp_path / "3.tsv", [choice(1, "blue")])).digest
    assert one == same != other
