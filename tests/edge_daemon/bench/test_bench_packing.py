from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge_daemon.bench.packing import main
from edge_daemon.errors import NotAnImageError
from edge_daemon.pictures import save_picture
from support.pictures import busy_picture


def test_a_folder_of_described_photographs_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    save_picture(busy_picture(64, 48), tmp_path / "a.png")
    captions = ["A blurred circle in front of a gradient.", "Gray noise all over a picture."]
    (tmp_path / "coco.json").write_text(json.dumps([{"file": "a.png", "captions": captions}]))
    main(tmp_path)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    utf8 = next(row for row in rows if row[:1] == ["UTF-8"])
    packed = next(row for row in rows if row[:1] == ["packed"])
    assert utf8[1:4] == ["35.0", "8.00", "71.0"]
    assert float(packed[1]) < 0.6 * float(utf8[1])
    assert float(packed[3]) < 0.6 * float(utf8[3])
    text, with_sketch = (
        next(row for row in rows if " ".join(row).startswith(name))
        for name in ("text, packed ", "text, packed, and sketch")
    )
    assert float(text[-1]) < float(with_sketch[-1])


def test_a_folder_without_captions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAnImageError, match="captions"):
        main(tmp_path)
