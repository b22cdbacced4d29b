from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edge_daemon.cloud.durable import Journal, write_file, writing_to
from edge_daemon.errors import StorageError


def numbers(journal: Journal) -> list[int]:
    return list(journal.read(lambda line: int(line["n"])))


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    for number in range(3):
        journal.append({"n": number, "words": "où?\n"})
    assert numbers(journal) == [0, 1, 2]
    journal.close()
    again = Journal(tmp_path / "j.jsonl")
    again.append({"n": 3})
    assert numbers(again) == [0, 1, 2, 3]
    again.close()


@pytest.mark.parametrize("whole", [b"", b'{"n":1}\n', b'{"n":1}\n' * 20_000], ids=len)
@pytest.mark.parametrize("torn", [b"{", b'{"n":' + b"7" * 70_000], ids=len)
def test_only_what_a_crash_tore_is_cut_off(tmp_path: Path, whole: bytes, torn: bytes) -> None:
    file = tmp_path / "j.jsonl"
    file.write_bytes(whole + torn)
    journal = Journal(file)
    assert file.read_bytes() == whole
    journal.append({"n": 2})
    assert file.read_bytes() == whole + b'{"n":2}\n'
    journal.close()


def test_unreadable_lines_are_passed_over_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "j.jsonl").write_bytes(b'\xff\n[]\n{}\n{"n":"x"}\n{"n":5}\n')
    journal = Journal(tmp_path / "j.jsonl")
    assert numbers(journal) == [5]
    journal.close()
    assert caplog.text.count("event=unreadable_line_skipped file=j.jsonl") == 4


def test_a_journal_is_for_one_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    with pytest.raises(BlockingIOError):
        Journal(tmp_path / "j.jsonl")
    journal.close()
    Journal(tmp_path / "j.jsonl").close()


def test_a_file_that_did_not_fit_leaves_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_file(tmp_path / "cam" / "1.png", b"before")

    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edge_daemon.cloud.durable.os.fsync", full_disk)
    with pytest.raises(StorageError, match="No space left") as caught, writing_to(tmp_path):
        write_file(tmp_path / "cam" / "1.png", b"after")
    assert caught.value.retry_after_s is not None
    assert [path.read_bytes() for path in (tmp_path / "cam").iterdir()] == [b"before"]
