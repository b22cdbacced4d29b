from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.study.bdrate import ResultsError, Series, read_results

GIVEN = "series,codec,quality,bytes,pixels,accuracy"
ASKED = "series,codec,quality,question,bytes,pixels,accuracy"


def read(folder: Path, *lines: str) -> list[Series]:
    file = folder / "results.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_results(file)


def test_rows_become_series(tmp_path: Path) -> None:
    first, second = read(
        tmp_path,
        GIVEN,
        "codec only,jpeg,10,1000,64000,0.5",
        "guided,jpeg,10,600,64000,0.5",
        "codec only,jpeg,20,2000,64000,0.75",
    )
    assert (first.name, first.codec, first.qualities) == ("codec only", "jpeg", ("10", "20"))
    assert (second.name, second.qualities, second.questions) == ("guided", ("10",), ())
    np.testing.assert_array_equal(first.bits, [[8000, 16000]])
    np.testing.assert_array_equal(first.rates(first.once, "source"), [[0.125, 0.25]])
    np.testing.assert_array_equal(first.accuracy, [[0.5, 0.75]])
    assert not first.resized


def test_questions_are_put_in_one_order(tmp_path: Path) -> None:
    (series,) = read(
        tmp_path,
        ASKED,
        "a,jpeg,10,q2,100,800,1",
        "a,jpeg,20,q1,300,800,0.5",
        "a,jpeg,10,q1,200,1600,0",
        "a,jpeg,20,q2,400,800,1",
    )
    assert series.questions == ("q1", "q2")
    np.testing.assert_array_equal(series.bits, [[1600, 2400], [800, 3200]])
    np.testing.assert_array_equal(series.pixels, [[1600, 800], [800, 800]])
    np.testing.assert_array_equal(series.accuracy, [[0, 0.5], [1, 1]])


def test_bits_per_pixel_do_for_a_rate(tmp_path: Path) -> None:
    (alone,) = read(tmp_path, "series,codec,quality,bpp,accuracy", "a,jpeg,10,0.25,1600")
    np.testing.assert_array_equal(alone.rates(alone.once, "source"), [[0.25]])
    assert not alone.has_bytes
    (both,) = read(tmp_path, "series,codec,quality,bpp,bytes,accuracy", "a,jpeg,10,0.25,100,0.5")
    np.testing.assert_array_equal(both.pixels, [[3200]])
    assert both.has_bytes


def test_both_accountings_are_kept(tmp_path: Path) -> None:
    (series,) = read(tmp_path, f"{GIVEN},sent_pixels", "a,jpeg,10,1000,64000,0.5,128000")
    assert series.resized
    np.testing.assert_array_equal(series.rates(series.once, "source"), [[0.125]])
    np.testing.assert_array_equal(series.rates(series.once, "sent"), [[0.0625]])


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (GIVEN, "a,jpeg,10,1000,64000,", "line 2, column accuracy: not a number"),
        (GIVEN, "a,jpeg,10,1000,64000,nan", "line 2, column accuracy: not a number"),
        (GIVEN, "a,jpeg,10,1000,64000,1e400", "line 2, column accuracy: not a number"),
        (GIVEN, "a,jpeg,10,1_000,64000,0.5", "line 2, column bytes: not a number"),
        (GIVEN, "a,jpeg,10,0,64000,0.5", "line 2, column bytes: must be above 0"),
        (GIVEN, "a,jpeg,10,1000,-1,0.5", "line 2, column pixels: must be above 0"),
        (GIVEN, ",jpeg,10,1000,64000,0.5", "line 2, column series: a name has 1 to 200"),
        (GIVEN, "a,j\x1bpeg,10,1000,64000,0.5", "line 2, column codec: a name has 1 to 200"),
        (GIVEN, f"a,jpeg,{'9' * 201},1000,64000,0.5", "line 2, column quality: a name has"),
        (GIVEN, "a,jpeg,10,1000,64000", r"line 2: 6 cells are needed.* \(got 5 cells\)"),
        (GIVEN, 'a,jpeg,10,1000,64000,"0.5', "cannot be read as CSV"),
        (ASKED, "a,jpeg,10,q1,1000,64000,1.5", "line 2, column accuracy: of one question"),
        (f"{GIVEN},model", "a,jpeg,10,1000,64000,0.5,x", r"unknown or there twice \(got 'model'"),
        (f"{GIVEN},bytes", "a,jpeg,10,1000,64000,0.5,1", r"unknown or there twice \(got 'bytes'"),
        ("series,codec,quality,accuracy", "a,jpeg,10,1", r"missing \(got bytes, pixels\)"),
        ("series,quality,bpp,accuracy", "a,10,1,1", r"missing \(got codec\)"),
        ("series,codec,quality,bpp,sent_pixels,accuracy", "a,b,1,1,1,1", r"missing \(got bytes\)"),
        (f"{GIVEN},bpp", "a,jpeg,10,1000,64000,0.5,1", "bpp and pixels both say"),
    ],
)
def test_what_is_doubtful_is_refused_by_line_and_column(
    tmp_path: Path, header: str, row: str, message: str
) -> None:
    with pytest.raises(ResultsError, match=message):
        read(tmp_path, header, row)


def test_repeated_rows_are_refused(tmp_path: Path) -> None:
    row = "a,jpeg,10,1000,64000,0.5"
    with pytest.raises(ResultsError, match=r"line 3, column quality: .* already has it"):
        read(tmp_path, GIVEN, row, row)
    row = "a,jpeg,10,q1,1000,64000,0.5"
    with pytest.raises(ResultsError, match=r"line 3, column question: .* already has it"):
        read(tmp_path, ASKED, row, row)


def test_every_quality_needs_the_same_questions(tmp_path: Path) -> None:
    rows = ["a,jpeg,10,q1,9,9,1", "a,jpeg,10,q2,9,9,1", "a,jpeg,20,q1,9,9,1"]
    with pytest.raises(ResultsError, match=r"a with jpeg, quality 20: 1 .*missing.*\(got 'q2'\)"):
        read(tmp_path, ASKED, *rows)


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"a{number},jpeg,{number},9,9,1" for number in range(4)]
    module = "edge_daemon.study.bdrate.results"
    for limit, message in (
        ("MAX_ROWS", "at most 3 rows"),
        ("MAX_SERIES", "line 5, column series: more than 3"),
        ("MAX_FILE_BYTES", r"at most 3 bytes \(got 1\d\d bytes\)"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.{limit}", 3)
            with pytest.raises(ResultsError, match=message):
                read(tmp_path, GIVEN, *rows)
    monkeypatch.setattr(f"{module}.MAX_QUALITIES", 3)
    with pytest.raises(ResultsError, match="line 5, column quality: more than 3"):
        read(tmp_path, GIVEN, *(row.replace(f"a{n}", "a") for n, row in enumerate(rows)))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no rows"):
        read(tmp_path, GIVEN)
    with pytest.raises(ResultsError, match="columns are missing"):
        read(tmp_path)
    with pytest.raises(ResultsError, match="cannot be read as CSV in UTF-8"):
        read_results(tmp_path / "nothing.csv")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"series\xff,codec")
    with pytest.raises(ResultsError, match="cannot be read as CSV in UTF-8"):
        read_results(binary)
