from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from edge_daemon.config import parse_settings
from edge_daemon.settings import Settings
from edge_daemon.settings.changes import LIVE, Changes, compare, taken_over


def settings(**tables: Any) -> Settings:
    return parse_settings(tables, source="test")


OTHERS: dict[str, Any] = {
    "bundle": "other",
    "encoder": {"backend": "cpu", "engines": "/x"},
    "codec": {"id": "hevc"},
    "prompt": {"max_bytes": 99, "tagger": "spacy:x"},
    "prefilter": {"lambda": 7.0, "mask": [{"x": 0, "y": 0, "width": 1, "height": 1}]},
    "rate": {"budget_kbps": 5.0, "worst_quality": {"jpeg": 20}},
    "semantic": {"max_bytes": 99, "chat": {"model": "other"}},
    "limits": {"max_pixels": 9, "max_payload_bytes": 9, "max_header_bytes": 999},
    "front": {"bind": "ipc:///run/x"},
    "cameras": [{"match": "gate-*", "weight": 2.0}],
    "stages": {"threads": 7, "stall_s": 9.0, "default_deadline_s": 9.0, "batch_wait_ms": 9.0},
    "video": {"change_levels": 9.0, "reuse": False},
    "spool": {"directory": "/x"},
    "uplink": {"backlog": "live-first", "backlog_kbps": 9.0, "nats": {"stream": "OTHER"}},
    "log": {"level": "debug", "format": "json"},
}


def test_equal_settings_differ_in_nothing() -> None:
    assert compare(settings(**OTHERS), settings(**OTHERS)) == Changes((), ())
    assert not compare(Settings(), Settings())


def test_every_key_that_differs_is_named_under_what_it_needs() -> None:
    assert compare(Settings(), settings(**OTHERS)) == Changes(
        live=(
            "codec",
            "prompt.max_bytes",
            "prefilter.lambda",
            "prefilter.mask",
            "rate.budget_kbps",
            "rate.worst_quality",
            "semantic.max_bytes",
            "semantic.chat.model",
            "limits.max_pixels",
            "limits.max_header_bytes",
            "cameras",
            "stages.batch_wait_ms",
            "stages.stall_s",
            "stages.default_deadline_s",
            "video.change_levels",
            "uplink.backlog",
            "uplink.backlog_kbps",
            "log.level",
        ),
        restart=(
            "bundle",
            "encoder.backend",
            "encoder.engines",
            "prompt.tagger",
            "limits.max_payload_bytes",
            "front.bind",
            "stages.threads",
            "video.reuse",
            "spool.directory",
            "uplink.nats.stream",
            "log.format",
        ),
    )


def keys_of(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{path}{field.alias or name}"
        yield key
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys_of(kind, f"{key}.")


def test_the_table_of_live_keys_names_keys_that_there_are() -> None:
    assert set(keys_of(Settings)) >= LIVE


@given(st.sets(st.sampled_from(sorted(OTHERS))), st.sets(st.sampled_from(sorted(OTHERS))))
def test_after_a_reload_only_what_needs_a_restart_still_differs(
    before: set[str], after: set[str]
) -> None:
    old = settings(**{name: OTHERS[name] for name in before})
    new = settings(**{name: OTHERS[name] for name in after})
    changes = compare(old, new)
    force = taken_over(old, new)
    assert compare(force, new) == Changes((), changes.restart)
    assert compare(old, force) == Changes(changes.live, ())


@pytest.mark.parametrize(("one", "other"), [*itertools.permutations(["jpeg", "hevc", "webp"], 2)])
def test_a_codec_is_taken_over_with_all_its_options_or_none(one: str, other: str) -> None:
    old = settings(codec={"id": one, "quality": 3})
    new = settings(codec={"id": other})
    assert taken_over(old, new).codec == {"id": other}
