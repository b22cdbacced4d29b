from __future__ import annotations

from pathlib import Path

import pytest

from edge_daemon.telemetry import Telemetry


@pytest.fixture
def thermal(tmp_path: Path) -> Path:
    """A box with three sensors, the last of which is switched off."""
    directory = tmp_path / "thermal"
    for number, (kind, millidegrees) in enumerate(
        [("cpu-thermal", "48500"), ("cpu-thermal", "51250"), ("gpu-thermal", "")]
    ):
        zone = directory / f"thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text(f"{kind}\n")
        (zone / "temp").write_text(f"{millidegrees}\n")
    return directory


@pytest.fixture
def telemetry(thermal: Path) -> Telemetry:
    return Telemetry(version="1.2.3", bundle="tiny", backend="onnxruntime 1", thermal=thermal)
