from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_daemon.telemetry.machine import Temperature, Thermometer, disk_free_bytes


def test_zones_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "type").write_text("cpu\n")
        (zone / "temp").write_text(f"{number}000\n")
    assert Thermometer(tmp_path).read() == (
        Temperature("thermal_zone2", "cpu", 2.0),
        Temperature("thermal_zone10", "cpu", 10.0),
    )


def test_a_sensor_that_is_off_is_left_out_and_of_equals_the_hottest_counts(thermal: Path) -> None:
    thermometer = Thermometer(thermal)
    assert thermometer.latest_by_kind() == {}
    assert len(thermometer.read()) == 2
    assert thermometer.latest_by_kind() == {"cpu-thermal": 51.25}


def test_a_box_without_sensors_has_no_temperatures(tmp_path: Path) -> None:
    assert Thermometer(tmp_path / "none").read() == ()


def test_a_sensor_that_hangs_costs_others_a_moment_and_what_was_found_earlier_stays(
    thermal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a bus that does not answer: another thread that holds the reading up."""
    monkeypatch.setattr("edge_daemon.telemetry.machine._PATIENCE_S", 0.01)
    thermometer = Thermometer(thermal)
    found = thermometer.read()
    reading, released = threading.Event(), threading.Event()
    really = Path.glob

    def hangs(self: Path, pattern: str) -> Iterator[Path]:
        reading.set()
        assert released.wait(30)
        return really(self, pattern)

    monkeypatch.setattr(Path, "glob", hangs)
    hung = threading.Thread(target=thermometer.read)
    hung.start()
    assert reading.wait(30)
    assert thermometer.read() == found
    released.set()
    hung.join(30)
    assert not hung.is_alive()


def test_room_on_a_disk(tmp_path: Path) -> None:
    assert (disk_free_bytes(str(tmp_path)) or 0) > 0
    assert disk_free_bytes(str(tmp_path / "none")) is None
