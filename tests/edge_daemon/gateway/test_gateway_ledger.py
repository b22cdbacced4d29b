"""A line for every picture, and not a word of what was asked."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.errors import StorageError
from edge_daemon.gateway.ledger import Ledger
from edge_daemon.pictures import to_png
from edge_daemon.prefilter import Prefilter
from support.gateway_rig import KEY, chat, data_url, gateway_before, picture_part, text_part
from support.stand_in_endpoint import refuses, says, stand_in_endpoint


async def test_every_picture_has_its_line_and_nothing_of_the_request_shows(
    halves: NDArray[np.uint8],
    prefilter: Prefilter,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    file, ledger = to_png(halves), tmp_path / "ledger.jsonl"
    part = picture_part(data_url(file))
    request = chat(part, part, text_part("the SECRET red car"))
    with stand_in_endpoint(says("the WHISPER"), refuses("400 Bad Request")) as upstream:
        async with gateway_before(
            upstream,
            prefilter,
            codec={"id": "jpeg", "quality": 40},
            gateway={"ledger": str(ledger)},
        ) as rig:
            headers = (await rig.post(request)).headers
            await rig.post(request)
            await rig.post(chat(text_part("no picture")))
    lines = [json.loads(line) for line in ledger.read_text("ascii").splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 400, 400]
    first = lines[0]
    assert first["request"] == headers["x-edge-daemon-request"] == lines[1]["request"]
    assert (first["series"], first["codec"], first["quality"]) == ("prefilter", "jpeg", 40)
    assert (first["bytes_in"], first["pixels"]) == (len(file), 301 * 601)
    assert first["bpp"] == pytest.approx(8 * first["bytes"] / first["pixels"], abs=1e-6)
    assert headers["x-edge-daemon-pictures"] == "2"
    assert headers["x-edge-daemon-picture-bytes-in"] == str(2 * len(file))
    assert headers["x-edge-daemon-picture-bytes-out"] == str(2 * first["bytes"])
    assert float(headers["x-edge-daemon-bpp"]) == pytest.approx(first["bpp"], abs=1e-4)
    assert f"bytes_out={first['bytes']},{first['bytes']}" in caplog.text
    written = caplog.text + ledger.read_text()
    secrets = ("SECRET", "WHISPER", KEY["Authorization"][7:], data_url(file)[100:120])
    assert [one for one in secrets if one in written] == []


def test_it_is_appended_to_and_only_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for number in range(2):
        ledger = Ledger(path)
        ledger.append([{"number": number}, {"text": "ä"}])
        ledger.close()
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert lines == [{"number": 0}, {"text": "ä"}, {"number": 1}, {"text": "ä"}]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write the ledger: No such file"):
        Ledger(tmp_path / "missing" / "ledger.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full stands for a full disk")
async def test_a_full_disk_costs_lines_and_no_request(
    halves: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    request = chat(picture_part(data_url(to_png(halves))), text_part("red"))
    with stand_in_endpoint(says("yes")) as upstream:
        async with gateway_before(upstream, gateway={"ledger": "/dev/full"}) as rig:
            assert (await rig.post(request)).status == 200
    assert "event=ledger_failed file=/dev/full" in caplog.text
