"""The real libvvenc is not needed: a shared library that is compiled here stands in for it.

It obeys the interface, gives the samples that it was handed as the payload, and writes down what it
was told.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import pytest

from edge_daemon.codecs import vvc
from edge_daemon.codecs.vvc import Vvc
from edge_daemon.codecs.vvc_library import LibraryEncoder, find_library
from edge_daemon.codecs.vvc_planes import rgb_to_planes
from edge_daemon.errors import EncodeError, NoEncoderError
from support.pictures import busy_picture, smooth_picture

PARAMETERS = vvc._PARAMETERS  # pyright: ignore[reportPrivateUsage]
choose = vvc._choose  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def undecided() -> Generator[None]:
    """The choice of the encoder is made anew, in the test and after it."""
    choose.cache_clear()
    yield
    choose.cache_clear()


def parameters(**other: object) -> dict[str, object]:
    return {**PARAMETERS, "qp": 32, **other}


STAND_IN = r"""
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int16_t* ptr; int width, height, stride; } Plane;
typedef struct { Plane planes[3]; uint64_t sequence, cts; bool ctsValid; void* opaque; } Picture;
typedef struct { unsigned char* payload; int size, used; char rest[1200]; } Unit;
typedef struct { Picture held; bool holds; } Encoder;

static void note(const char* text) {
  FILE* file = fopen(getenv("STAND_IN_NOTES"), "a");
  fprintf(file, "%s\n", text);
  fclose(file);
}
static bool told(const char* what) {
  const char* fault = getenv("STAND_IN_FAULT");
  return fault && !strcmp(fault, what);
}
const char* vvenc_get_version(void) { return VERSION; }
void vvenc_config_default(void* config) { memset(config, 1, 200000); }
int vvenc_init_default(void* config, int w, int h, int rate, int bits, int qp, int preset) {
  char text[99];
  snprintf(text, 99, "init %dx%d rate %d bits %d qp %d preset %d", w, h, rate, bits, qp, preset);
  note(text);
  return told("init") ? -7 : 0;
}
int vvenc_set_param(void* config, const char* name, const char* value) {
  char text[200];
  snprintf(text, 200, "%s=%s", name, value);
  note(text);
  return told(name) ? -1 : 0;
}
void* vvenc_encoder_create(void) {
  note("create");
  return told("create") ? NULL : calloc(1, sizeof(Encoder));
}
int vvenc_encoder_open(void* encoder, void* config) { return told("open") ? -2 : 0; }
int vvenc_encoder_close(void* encoder) { note("close"); free(encoder); return 0; }
const char* vvenc_get_last_error(void* encoder) { return "as it was told"; }
Picture* vvenc_YUVBuffer_alloc(void) { return calloc(1, sizeof(Picture)); }
void vvenc_YUVBuffer_alloc_buffer(Picture* picture, int format, int width, int height) {
  for (int i = 0; i < 3; i++) {
    Plane* plane = &picture->planes[i];
    plane->width = i && format == 1 ? width / 2 : width;
    plane->height = i && format == 1 ? height / 2 : height;
    plane->stride = plane->width + 13;
    plane->ptr = malloc(2 * ((plane->height - 1) * plane->stride + plane->width));
  }
}
void vvenc_YUVBuffer_free(Picture* picture, bool buffers) {
  for (int i = 0; buffers && i < 3; i++) free(picture->planes[i].ptr);
  note("free picture");
  free(picture);
}
Unit* vvenc_accessUnit_alloc(void) { return calloc(1, sizeof(Unit)); }
void vvenc_accessUnit_alloc_payload(Unit* unit, int size) {
  unit->payload = malloc(size);
  unit->size = size;
}
void vvenc_accessUnit_free(Unit* unit, bool payload) {
  if (payload) free(unit->payload);
  note("free unit");
  free(unit);
}
int vvenc_encode(void* opaque, Picture* picture, Unit* unit, bool* done) {
  Encoder* encoder = opaque;
  unit->used = 0;
  *done = false;
  if (told("encode")) return -1;
  if (picture) {
    encoder->held = *picture;
    encoder->holds = true;
  } else if (encoder->holds) {
    for (int i = 0; i < 3; i++) {
      Plane* plane = &encoder->held.planes[i];
      for (int y = 0; y < plane->height; y++) {
        memcpy(unit->payload + unit->used, plane->ptr + y * plane->stride, 2 * plane->width);
        unit->used += 2 * plane->width;
      }
    }
    encoder->holds = false;
  } else {
    *done = !told("done");
  }
  return 0;
}
"""

Builder = Callable[[str], str]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """Builds the stand-in of a version, and gives its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    monkeypatch.setenv("STAND_IN_NOTES", str(tmp_path / "notes"))

    def build(version: str) -> str:
        source = tmp_path / "stand_in.c"
        source.write_text(STAND_IN)
        path = tmp_path / f"libvvenc.so.{version}"
        flags = ["-shared", "-fPIC", "-O1", f'-DVERSION="{version}"']
        subprocess.run([compiler, *flags, str(source), "-o", str(path)], check=True)
        return str(path)

    return build


@pytest.mark.parametrize("size", [(64, 48), (70, 50), (32, 34)])
def test_the_library_gets_every_sample_and_every_parameter(
    size: tuple[int, int], stand_in: Builder, tmp_path: Path
) -> None:
    width, height = size
    planes = rgb_to_planes(busy_picture(width, height))
    encoder = LibraryEncoder(stand_in("1.14.0"))
    assert encoder.version == "1.14.0"
    assert encoder.encode(planes, "fast", parameters(qp=27)) == planes.tobytes()
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes[0] == f"init {width}x{height} rate 25 bits 0 qp 27 preset 1"
    given_parameters = [f"{name}={value}" for name, value in parameters(qp=27).items()]
    assert notes[1:-4] == ["verbosity=0", *given_parameters]
    assert notes[-4:] == ["create", "free unit", "free picture", "close"]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("init", "error -7 in vvenc_init_default"),
        ("wavefrontsynchro", "1.14.0 has no parameter wavefrontsynchro=1"),
        ("create", "found no memory"),
        ("open", "error -2 on opening as it was told"),
        ("encode", "error -1 on encoding as it was told"),
        ("done", "never said that it was done"),
    ],
)
def test_a_failure_in_the_library_is_told_and_leaves_nothing_open(
    fault: str,
    told: str,
    stand_in: Builder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAND_IN_FAULT", fault)
    planes = rgb_to_planes(busy_picture(64, 48))
    with pytest.raises(EncodeError, match=told):
        LibraryEncoder(stand_in("1.14.0")).encode(planes, "faster", parameters())
    notes = (tmp_path / "notes").read_text().splitlines()
    created = notes.count("create") - (fault == "create")
    assert notes.count("close") == created


@pytest.mark.parametrize("version", ["2.0.0", "0.3.1", "", "unknown"])
def test_an_unknown_major_version_is_not_taken(version: str, stand_in: Builder) -> None:
    with pytest.raises(NoEncoderError, match=r"only 1\.x is known"):
        LibraryEncoder(stand_in(version))


def test_a_library_that_is_none_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "libvvenc.so.1.2"
    path.write_text("not a library")
    with pytest.raises(NoEncoderError, match="cannot be used"):
        LibraryEncoder(str(path))


@pytest.mark.usefixtures("undecided")
def test_the_library_is_preferred_where_there_is_one(
    stand_in: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(stand_in("1.14.0"))
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nonexistent:{path.parent}")
    assert find_library().version == "1.14.0"
    status = Vvc.status()
    assert (status.encoder, status.version) == ("vvenc (libvvenc)", "1.14.0")
    pixels = smooth_picture(64, 48)
    assert Vvc().encode(pixels) == rgb_to_planes(pixels).tobytes()


def test_without_a_library_the_search_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.environ.get("LD_LIBRARY_PATH"):
        monkeypatch.delenv("LD_LIBRARY_PATH")
    with suppress(OSError):
        ctypes.CDLL("libvvenc.so")
        pytest.skip("this machine has a libvvenc")
    with pytest.raises(NoEncoderError, match="libvvenc"):
        find_library()
