"""Each reason to doubt a result, by hand."""

from dataclasses import replace

import pytest

from fer.description import LIMITS, Description
from fer.faces.quality import Quality
from fer.inference.trust import REASONS, why_unsure
from fer.preprocessing import Preprocessing

ALL = {"size": 20, "brightness": 0.2, "sharpness": 1.0, "yaw": 40, "pitch": 30}
FINE = Quality(size=20, sharpness=1.0, brightness=0.2, yaw=-40, pitch=30, roll=90)  # each at its limit
NAN = float("nan")


def description(limits: dict[str, float], unsure_below: float = 0.5) -> Description:
    return Description("mobilefacenet", 4, ("a", "b"), Preprocessing(), [], unsure_below=unsure_below, limits=limits)


@pytest.mark.parametrize(
    ("confidence", "quality", "limits", "reason"),
    [
        (0.5, FINE, ALL, ""),  # at its limit is inside
        (0.499, FINE, ALL, "low confidence"),
        (0.9, replace(FINE, size=19.9), ALL, "too small"),
        (0.9, replace(FINE, brightness=0.19), ALL, "too dark"),
        (0.9, replace(FINE, sharpness=0.99), ALL, "blurred"),
        (0.9, replace(FINE, yaw=40.1), ALL, "turned away"),
        (0.9, replace(FINE, yaw=-40.1), ALL, "turned away"),
        (0.9, replace(FINE, pitch=-30.1), ALL, "turned away"),
        # an absent limit gives no reason
        (0.9, replace(FINE, size=1, brightness=0, sharpness=0, yaw=99, pitch=99), {}, ""),
        (0.9, replace(FINE, size=1, yaw=99), {"yaw": 40}, "turned away"),
        (0.9, replace(FINE, yaw=99, pitch=-31), {"pitch": 30}, "turned away"),
        # what is unknown gives no reason
        (0.9, replace(FINE, yaw=NAN, pitch=NAN, roll=NAN), ALL, ""),
        (0.9, None, ALL, ""),
        (0.1, None, ALL, "low confidence"),
        # the first reason in their order
        (0.1, Quality(1, 0, 0, 99, 99, 0), ALL, "too small"),
        (0.1, Quality(20, 0, 0, 99, 99, 0), ALL, "too dark"),
        (0.1, Quality(20, 0, 0.2, 99, 99, 0), ALL, "blurred"),
        (0.1, Quality(20, 1, 0.2, 99, 99, 0), ALL, "turned away"),
        (0.1, Quality(20, 1, 0.2, 0, 0, 0), ALL, "low confidence"),
    ],
)
def test_why_a_face_is_unsure(confidence, quality, limits, reason):
    assert why_unsure(confidence, quality, description(limits)) == reason
    assert reason in ("", *REASONS)


def test_each_limit_is_looked_at():
    worst = Quality(0, 0, 0, 180, 180, 0)
    inside = {"size": 1, "brightness": 0.1, "sharpness": 0.1, "yaw": 1, "pitch": 1}
    assert set(inside) == set(LIMITS)
    assert all(why_unsure(1.0, worst, description({name: limit})) for name, limit in inside.items())
