from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from models import BundleError, load_bundle, loading, place
from models.place import store_directory, stored_bundles
from models.store import import_bundle, remove_bundle, verify_bundle
from support.tiny_bundle import edit_manifest, make_tiny_bundle


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    return make_tiny_bundle(tmp_path / "stick" / "whatever", name="colours")


def _flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_store_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_DAEMON_BUNDLES", "~/there")
    assert store_directory() == Path.home() / "there"


def test_the_services_state_directory_comes_before_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGE_DAEMON_BUNDLES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(place, "SERVICE_STATE", tmp_path / "state")
    assert store_directory() == tmp_path / "data" / "edge-daemon" / "bundles"
    (tmp_path / "state").mkdir()
    assert store_directory() == tmp_path / "state" / "bundles"


def test_the_users_data_directory_has_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDGE_DAEMON_BUNDLES", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(place, "SERVICE_STATE", tmp_path / "none")
    assert store_directory() == tmp_path / ".local/share/edge-daemon/bundles"


def test_an_imported_bundle_is_found_by_its_name(store: Path, stick: Path) -> None:
    assert stored_bundles() == {}
    assert import_bundle(stick).name == "colours"
    assert stored_bundles() == {"colours": store / "colours"}
    shutil.rmtree(stick)
    assert load_bundle("colours", threads=1).manifest.name == "colours"


def test_a_packaged_name_wins_over_the_store_and_the_store_over_a_directory(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tiny_bundle(store / "both", name="stored")
    make_tiny_bundle(tmp_path / "here" / "both", name="beside")
    monkeypatch.chdir(tmp_path / "here")
    assert load_bundle("both", threads=1).manifest.name == "stored"
    assert load_bundle("./both", threads=1).manifest.name == "beside"
    make_tiny_bundle(tmp_path / "packaged" / "both", name="packaged")
    monkeypatch.setattr(loading, "PACKAGED", tmp_path / "packaged")
    assert load_bundle("both", threads=1).manifest.name == "packaged"


@pytest.mark.usefixtures("store")
def test_an_unknown_name_lists_what_there_is_and_a_published_one_how_to_get_it(
    stick: Path,
) -> None:
    import_bundle(stick)
    with pytest.raises(BundleError, match=r"no bundle 'colors'.*\(nano-icons\).*\(colours\)"):
        load_bundle("colors")
    with pytest.raises(BundleError, match="models pull tinyclip-39m-16-yfcc15m"):
        load_bundle("tinyclip-39m-16-yfcc15m")


def test_strangers_files_stay_where_they_are(store: Path, stick: Path) -> None:
    (stick / "secrets.txt").write_text("mine")
    (stick / "engines").mkdir()
    import_bundle(stick)
    assert sorted(path.name for path in (store / "colours").iterdir()) == [
        "image.onnx",
        "manifest.json",
        "text.onnx",
        "tokenizer.json",
    ]


@pytest.mark.parametrize("name", ["manifest.json", "text.onnx"])
def test_a_link_in_a_bundle_is_not_followed(
    store: Path, stick: Path, tmp_path: Path, name: str
) -> None:
    (stick / name).rename(tmp_path / "elsewhere")
    (stick / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="symbolic link") as caught:
        import_bundle(stick)
    assert caught.value.file == stick / name
    assert list(store.iterdir()) == []


def test_a_pipe_in_a_bundle_is_not_waited_for(store: Path, stick: Path) -> None:
    (stick / "image.onnx").unlink()
    os.mkfifo(stick / "image.onnx")
    with pytest.raises(BundleError, match="no regular file"):
        import_bundle(stick)
    assert list(store.iterdir()) == []


def test_a_damaged_bundle_is_refused_and_leaves_nothing(store: Path, stick: Path) -> None:
    _flip_a_bit(stick / "image.onnx")
    with pytest.raises(BundleError, match="SHA-256") as caught:
        import_bundle(stick)
    assert caught.value.file == stick / "image.onnx"
    assert list(store.iterdir()) == []


def test_a_bundle_that_cannot_be_loaded_is_refused_and_leaves_nothing(
    store: Path, stick: Path
) -> None:
    edit_manifest(stick, embedding_size=9)
    with pytest.raises(BundleError, match="the manifest implies"):
        import_bundle(stick)
    assert list(store.iterdir()) == []


def test_a_taken_name_is_refused_unless_forced_and_its_engines_go(store: Path, stick: Path) -> None:
    import_bundle(stick)
    (store / "colours" / "engines").mkdir()
    (store / "colours" / "engines" / "built.plan").write_bytes(b"engine")
    edit_manifest(stick, notice="second")
    with pytest.raises(BundleError, match="--force"):
        import_bundle(stick)
    assert load_bundle("colours", threads=1).manifest.notice != "second"
    import_bundle(stick, force=True)
    assert load_bundle("colours", threads=1).manifest.notice == "second"
    assert not (store / "colours" / "engines").exists()


def test_a_packaged_name_cannot_be_taken(store: Path, stick: Path) -> None:
    edit_manifest(stick, name="nano-icons")
    with pytest.raises(BundleError, match="ships with"):
        import_bundle(stick, force=True)
    assert list(store.iterdir()) == []


def test_what_is_no_bundle_is_never_replaced(store: Path, stick: Path) -> None:
    (store / "colours").mkdir(parents=True)
    (store / "colours" / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="not replaced"):
        import_bundle(stick, force=True)
    assert (store / "colours" / "thesis.tex").read_text() == "years of work"


def test_a_full_disk_is_told_before_anything_is_copied(
    store: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(stick)._replace(free=1000)

    def disk_usage(_path: Path) -> Any:
        return usage

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    with pytest.raises(BundleError, match=r"needs \d+\.\d MB, 0\.0 MB are free"):
        import_bundle(stick)
    assert list(store.iterdir()) == []


def test_a_directory_that_is_no_bundle_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot read") as caught:
        import_bundle(tmp_path / "nothing")
    assert caught.value.file == tmp_path / "nothing" / "manifest.json"
    assert list(store.iterdir()) == []


def test_a_good_bundle_passes_and_each_damage_is_found(stick: Path) -> None:
    assert verify_bundle(stick).name == "colours"
    _flip_a_bit(stick / "tokenizer.json")
    with pytest.raises(BundleError, match="SHA-256"):
        verify_bundle(stick)
    (stick / "tokenizer.json").write_bytes(b"")
    with pytest.raises(BundleError, match="0 bytes"):
        verify_bundle(stick)
    (stick / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match="No such file"):
        verify_bundle(stick)


def test_removing_says_how_many_bytes_went_engines_among_them(store: Path, stick: Path) -> None:
    import_bundle(stick)
    (store / "colours" / "engines").mkdir()
    (store / "colours" / "engines" / "built.plan").write_bytes(b"x" * 1234)
    whole = sum(path.stat().st_size for path in stick.iterdir())
    assert remove_bundle("colours") == whole + 1234
    assert list(store.iterdir()) == []


@pytest.mark.usefixtures("store")
def test_what_is_packaged_or_not_there_is_not_removed() -> None:
    with pytest.raises(BundleError, match="ships with"):
        remove_bundle("nano-icons")
    with pytest.raises(BundleError, match="there is none"):
        remove_bundle("../colours")


def test_links_and_unfinished_imports_are_no_bundles(store: Path, stick: Path) -> None:
    import_bundle(stick)
    make_tiny_bundle(store / ".import-x" / "bundle")
    (store / "link").symlink_to(stick)
    assert list(stored_bundles()) == ["colours"]


def test_a_store_in_the_place_of_a_file_is_told(store: Path, stick: Path) -> None:
    store.write_text("a file")
    with pytest.raises(BundleError, match="cannot write to the store"):
        import_bundle(stick)
    with pytest.raises(BundleError, match="cannot read the store"):
        load_bundle("colours")
