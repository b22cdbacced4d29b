from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
import zmq
import zmq.auth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_daemon.errors import KeysError
from edge_daemon.keys.certificate import (
    Certificate,
    check_curve,
    new_pair,
    read_certificate,
    write_certificate,
)
from edge_daemon.keys.secret import Secret

WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["C", "Z"]))


@given(st.dictionaries(st.sampled_from(["clients", "added", "site"]), WORDS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_what_is_written_is_read(tmp_path: Path, metadata: Mapping[str, str]) -> None:
    metadata = {name: value for name, value in metadata.items() if not set(value) & set("\"'\x7f")}
    pair = new_pair()
    write_certificate(
        tmp_path / "it", Certificate(pair.public, pair.secret, metadata), replace=True
    )
    found = read_certificate(tmp_path / "it", private=True)
    assert (found.public, found.metadata) == (pair.public, metadata)
    assert pair.secret is not None
    assert found.secret is not None
    assert found.secret.reveal() == pair.secret.reveal()


def test_the_library_reads_ours_and_we_read_the_librarys(tmp_path: Path) -> None:
    pair = new_pair()
    assert pair.secret is not None
    write_certificate(tmp_path / "ours", pair)
    assert zmq.auth.load_certificate(tmp_path / "ours") == (
        pair.public.encode(),
        pair.secret.reveal(),
    )
    names = zmq.auth.create_certificates(tmp_path, "theirs", {"clients": "gate-* yard"})
    for name, public, secret in ((names[0], None, None), (names[1], "gate-* yard", "here")):
        found = read_certificate(Path(name))
        assert found.public.encode() == zmq.auth.load_certificate(name)[0]
        assert found.metadata.get("clients") == public
        assert (found.secret is None) == (secret is None)


@pytest.mark.parametrize("value", ['a"b', "a'b", "a\nb", "a\x00b"])
def test_metadata_that_would_forge_lines_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(KeysError, match="clients cannot be written"):
        write_certificate(tmp_path / "it", Certificate(new_pair().public, None, {"clients": value}))
    assert list(tmp_path.iterdir()) == []


GOOD, OTHER = new_pair(), new_pair()
assert GOOD.secret is not None
SECRET = GOOD.secret.reveal().decode()

BAD_FILES = {
    "empty": ("", "no public-key"),
    "no text": ("\xff", "not text"),
    "secret alone": (f'secret-key = "{SECRET}"', "no public-key"),
    "short public": (f'public-key = "{GOOD.public[1:]}"\nsecret-key = "{SECRET}"', "public-key is"),
    "bad letters": (f'public-key = "{"~" * 40}"\nsecret-key = "{SECRET}"', "public-key is"),
    "too large a number": (f'public-key = "{"#" * 40}"\nsecret-key = "{SECRET}"', "public-key is"),
    "not ascii": (f'public-key = "{"é" * 40}"\nsecret-key = "{SECRET}"', "public-key is"),
    "short secret": (f'public-key = "{GOOD.public}"\nsecret-key = "{SECRET[1:]}"', "secret-key is"),
    "long secret": (f'public-key = "{GOOD.public}"\nsecret-key = "{SECRET}0"', "secret-key is"),
    "another's": (f'public-key = "{OTHER.public}"\nsecret-key = "{SECRET}"', "belong together"),
    "twice": (f'public-key = "{GOOD.public}"\n' + f'secret-key = "{SECRET}"\n' * 2, "twice"),
}


@pytest.mark.parametrize(("text", "why"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_named_and_its_secret_is_not_shown(
    tmp_path: Path, text: str, why: str
) -> None:
    file = tmp_path / "identity.secret"
    file.write_bytes(text.encode("latin-1" if text == "\xff" else "utf-8"))
    file.chmod(0o600)
    with pytest.raises(KeysError, match=why) as caught:
        read_certificate(file, private=True)
    assert str(file) in str(caught.value)
    # With all variables of our own code shown, as crash reporters do; not those of this test.
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(
        f"{frame.line} {frame.locals}" for frame in told.stack if frame.filename != __file__
    )
    assert "read_certificate" not in shown or "Secret(hidden)" in shown or "found" in shown
    assert SECRET[1:] not in shown + str(caught.value)


def test_nothing_that_holds_a_secret_shows_it() -> None:
    secret = Secret(SECRET.encode())
    shown = f"{secret} {secret!r} {GOOD} {GOOD!r} {[secret]} {vars(GOOD)}"
    assert SECRET not in shown
    assert "hidden" in shown
    assert not hasattr(secret, "__dict__")


def test_a_library_without_encryption_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def has(feature: str) -> bool:
        return feature != "curve"

    check_curve()
    monkeypatch.setattr(zmq, "has", has)
    for make in (check_curve, new_pair):
        with pytest.raises(KeysError, match="without CURVE"):
            make()
