from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from edge_daemon.config import find_line, load_settings, parse_settings
from edge_daemon.errors import SettingsError
from edge_daemon.settings import Settings, check_bind

DEFAULT = Path(__file__).parents[2] / "configs" / "default.toml"


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "edge.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_shipped_file_states_the_defaults() -> None:
    assert load_settings(DEFAULT) == Settings()


def names_of(model: type[BaseModel]) -> set[str]:
    """Every key of a model and of those in it."""
    names: set[str] = set()
    for name, field in model.model_fields.items():
        names.add(field.alias or name)
        kinds = (field.annotation, *get_args(field.annotation))
        for inner in kinds:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                names |= names_of(inner)
    return names - set(Settings.model_fields)


def test_the_shipped_file_mentions_every_key() -> None:
    text = DEFAULT.read_text(encoding="utf-8")
    missing = [name for name in sorted(names_of(Settings)) if f"{name} = " not in text]
    assert [name for name in missing if not re.search(rf"^(# )?\[\w+\.{name}\]", text, re.M)] == []


def test_unknown_key_names_file_line_key_and_the_likely_one(tmp_path: Path) -> None:
    file = write(tmp_path, '[prefilter]\nmode = "default"\nsigma_maks = 3.0\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    message = str(caught.value)
    assert f"{file}:3: prefilter.sigma_maks" in message
    assert "did you mean 'sigma_max'" in message


def test_bad_value_names_line_value_and_meaning(tmp_path: Path) -> None:
    file = write(tmp_path, "\n[stages]\nthreads = 0\n")
    with pytest.raises(SettingsError, match=r"edge\.toml:3: stages\.threads.*got 0.*threads for"):
        load_settings(file)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, 'bundel = "x"\n[front]\nbind = 3\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(file)
    assert "2 mistake(s)" in str(caught.value)
    assert ":1: bundel" in str(caught.value)
    assert ":3: front.bind" in str(caught.value)


def test_a_mistake_in_an_array_of_tables_names_its_own_line(tmp_path: Path) -> None:
    region = "[[prefilter.keep]]\nx = 0.1\ny = {}\nwidth = 0.5\nheight = 0.5\n"
    file = write(tmp_path, region.format(0.2) + region.format(7))
    with pytest.raises(SettingsError, match=r"edge\.toml:8: prefilter\.keep\.1\.y"):
        load_settings(file)


def test_sigmas_in_the_wrong_order(tmp_path: Path) -> None:
    file = write(tmp_path, "[prefilter]\nsigma_min = 4.0\nsigma_max = 2.0\n")
    with pytest.raises(SettingsError, match=r"sigma_min \(4\.0 px\) must not exceed"):
        load_settings(file)


@pytest.mark.parametrize("text", ["[prefilter", "a = = 3", "\x00"])
def test_not_toml(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings(write(tmp_path, text))


def test_a_search_may_not_look_hung(tmp_path: Path) -> None:
    text = '[semantic]\nrefiner = "{}"\ntime_s = 120.0\n[stages]\nstall_s = 60.0\n'
    load_settings(write(tmp_path, text.format("phrases")))  # asks nobody
    file = write(tmp_path, text.format("openai"))
    with pytest.raises(SettingsError, match=r"semantic\.time_s \(120 s\) must be below"):
        load_settings(file)


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the settings file"):
        load_settings(tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="cannot read the settings file"):
        load_settings(binary)


def test_lambda_is_spelt_as_in_the_formulas() -> None:
    settings = parse_settings({"prefilter": {"lambda": 20.0}}, source="test")
    assert settings.prefilter.lambda_ == 20.0


@pytest.mark.parametrize(
    ("path", "line"),
    [(["a"], 1), (["t", "b"], 3), (["t", "missing"], 2), (["u", "0"], 4), (["none"], None)],
)
def test_find_line(path: list[str], line: int | None) -> None:
    assert find_line("a = 1\n[t]\nb = 2\n[[u]]\nc = 3\n", path) == line


@pytest.mark.parametrize(
    "endpoint", ["tcp://127.0.0.1:5591", "tcp://[::1]:5591", "tcp://localhost:1", "ipc:///run/e"]
)
def test_loopback_binds_are_free(endpoint: str) -> None:
    check_bind(endpoint, allow_insecure=False)


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:5591", "tcp://*:5591", "tcp://10.0.0.1:1"])
def test_network_binds_need_permission(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="without encryption"):
        check_bind(endpoint, allow_insecure=False)
    check_bind(endpoint, allow_insecure=True)


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:5591", "tcp://*:5591", "tcp://10.0.0.1:1"])
def test_encrypted_binds_need_no_permission(endpoint: str) -> None:
    check_bind(endpoint, allow_insecure=False, encrypted=True)
    with pytest.raises(SettingsError, match="keys new"):
        check_bind(endpoint, allow_insecure=False, encrypted=False)


def test_encryption_makes_no_endpoint_of_what_is_none() -> None:
    with pytest.raises(SettingsError, match="not a ZeroMQ endpoint"):
        check_bind("http://127.0.0.1:80", allow_insecure=False, encrypted=True)


@pytest.mark.parametrize("endpoint", ["", "5591", "tcp://127.0.0.1", "http://127.0.0.1:80"])
def test_malformed_endpoints(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="not a ZeroMQ endpoint"):
        check_bind(endpoint, allow_insecure=True)
