from __future__ import annotations

import math
from typing import Any

import pytest

from edge_daemon.codecs import codec_class
from edge_daemon.errors import SettingsError
from edge_daemon.rate import Policy, path_of
from edge_daemon.rate.scales import useful_range
from support.curves import Curve


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"order": ("quality", "quality")}, "at most once"),
        ({"order": ("quality", "luck")}, "at most once"),
        ({"order": ("semantic", "quality")}, "nothing can follow 'semantic'"),
        ({"strongest": 0.5}, "strongest"),
        ({"strongest": math.nan}, "strongest"),
        ({"least_scale": 0.0}, "least_scale"),
        ({"least_scale": 1.5}, "least_scale"),
        ({"accept_share": 0.0}, "accept_share"),
        ({"accept_share": 1.01}, "accept_share"),
        ({"max_encodes": 1}, "max_encodes"),
        ({"max_encodes": 2, "order": ("quality", "semantic")}, "within 3 to 32"),
        ({"worst_quality": -0.1}, "worst_quality"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Policy(**wrong)


def test_a_bound_outside_the_codecs_scale_is_refused() -> None:
    policy = Policy(worst_quality={"curve": 41})
    with pytest.raises(SettingsError, match="worst_quality of curve must be within 0 to 40"):
        path_of(Curve(), policy)


def test_the_worst_quality_may_be_named_by_codec_or_as_a_share() -> None:
    jpeg, hevc = codec_class("jpeg"), codec_class("hevc")
    named = Policy(worst_quality={"jpeg": 33})
    assert (named.worst_of(jpeg), named.worst_of(hevc)) == (33, 45)
    share = Policy(worst_quality=0.51)
    assert (share.worst_of(jpeg), share.worst_of(hevc)) == (51, 25)


def test_useful_ranges_lie_within_the_scales() -> None:
    assert useful_range(codec_class("jpeg")) == (10, 95)
    assert useful_range(codec_class("hevc")) == (45, 14)
    assert useful_range(codec_class("heif")) == (15, 90)
    assert useful_range(Curve) == (4, 38)
