"""What a reload does about texts; the other parts are watched as processes in `test_operations`."""

from __future__ import annotations

from typing import Any, cast

import pytest

from edge_daemon.errors import SettingsError
from edge_daemon.prefilter import Prefilter
from edge_daemon.service.admission import Admission
from edge_daemon.service.reconfiguring import Reconfiguring
from edge_daemon.service.stages import Stages
from edge_daemon.service.texts import Describes
from edge_daemon.settings import SemanticSettings, Settings
from edge_daemon.uplink import Uplink
from models import Bundle, load_bundle
from support.stand_in_describer import StandInDescriber
from support.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("bundle")), threads=1)


class Part:
    """Stands in for admission, stages and uplink: remembers what they were given."""

    def __init__(self) -> None:
        self.describers: list[Describes] = []

    def reconfigure(self, _: Settings, *describer: Describes) -> None:
        self.describers += describer

    def tune(self, _: object) -> None:
        """Nothing."""


class Parts:
    """A running daemon's, as far as a reload knows them."""

    def __init__(self, bundle: Bundle) -> None:
        self.made: list[StandInDescriber] = []
        self.first = StandInDescriber()
        self.part = Part()
        self.missing_key = False
        self.reconfiguring = Reconfiguring(
            Settings(),
            self.first,
            self._make,
            Prefilter(bundle),
            cast("Admission", self.part),
            cast("Stages", self.part),
            cast("Uplink", self.part),
            lambda _: None,
        )

    def _make(self, _: SemanticSettings, __: Bundle) -> StandInDescriber:
        if self.missing_key:
            raise SettingsError("no key", remedy="write one")
        self.made.append(StandInDescriber())
        return self.made[-1]

    def reload(self, **tables: Any) -> Describes:
        """Reloads; what finds texts from then on."""
        self.reconfiguring.prepare(Settings.model_validate(tables))()
        return self.part.describers[-1]


def test_other_settings_bring_another_describer_which_is_warm_before_it_serves(
    bundle: Bundle,
) -> None:
    parts = Parts(bundle)
    changed = parts.reload(semantic={"max_bytes": 100})
    assert [changed] == parts.made
    (asked,) = parts.made[0].asked
    assert asked.at_once
    assert parts.reload(semantic={"max_bytes": 100}, rate={"budget_bytes": 500}) is changed
    assert parts.reload() is parts.made[1]


def test_settings_that_say_the_same_of_texts_leave_the_describer(bundle: Bundle) -> None:
    parts = Parts(bundle)
    assert parts.reload(limits={"max_pixels": 7}) is parts.first
    assert parts.made == []


def test_a_missing_key_refuses_the_reload_and_the_next_one_tries_again(bundle: Bundle) -> None:
    parts = Parts(bundle)
    parts.missing_key = True
    for _ in range(2):
        with pytest.raises(SettingsError, match="no key"):
            parts.reload(semantic={"max_bytes": 100})
    assert parts.part.describers == []
    parts.missing_key = False
    assert [parts.reload(semantic={"max_bytes": 100})] == parts.made
