"""Whether a result should be believed, and the reason where not."""

from __future__ import annotations

from ..description import Description
from ..faces.quality import Quality

REASONS = ("too small", "too dark", "blurred", "turned away", "low confidence")  # the first that holds is given


def why_unsure(confidence: float, quality: Quality | None, description: Description) -> str:
    """One of REASONS, or "" where the result can be believed.

    The limits are those of the checkpoint. A limit that it does not have gives no reason, and neither does a quality
    that is unknown (None, or an angle that is NaN).
    """
    limits = description.limits if quality is not None else {}

    def is_less(name: str) -> bool:
        return name in limits and getattr(quality, name) < limits[name]

    def is_turned(name: str) -> bool:
        return name in limits and abs(getattr(quality, name)) > limits[name]

    holds = (
        is_less("size"),
        is_less("brightness"),
        is_less("sharpness"),
        is_turned("yaw") or is_turned("pitch"),
        confidence < description.unsure_below,
    )
    return next((reason for reason, is_given in zip(REASONS, holds) if is_given), "")
