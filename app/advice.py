"""Why a result should not be believed, in a sentence that says what would help."""

from __future__ import annotations

from fer.results.types import Face

ADVICE = {  # by the reason; see `fer.inference.trust.REASONS`
    "too small": "Move closer: the face is only {size:.0f} pixels wide.",
    "too dark": "Too dark to read: turn towards a light.",
    "blurred": "Blurred: hold still, or clean the lens.",
    "turned away": "Turned away: look towards the camera.",
    "low confidence": "No emotion stands out.",
}
LIMITS = {  # what a face may not be, by the name of the limit: the words, and the factor of the value in them
    "size": ("lower or narrower than {:.0f} pixels", 1),
    "brightness": ("darker than {:.0f} % of white", 100),
    "sharpness": ("blurred (sharpness below {:.2f})", 1),
    "yaw": ("turned to the side by more than {:.0f}°", 1),
    "pitch": ("turned up or down by more than {:.0f}°", 1),
}


def advise(face: Face) -> str:
    """A sentence for an unsure face; "" for a sure one."""
    if not face.unsure:
        return ""
    return ADVICE[face.unsure].format(size=face.quality.size if face.quality else float("nan"))


def describe_limits(limits: dict[str, float]) -> str:
    """The limits of a checkpoint as a sentence, or nothing where it has none."""
    phrases = [words.format(factor * limits[name]) for name, (words, factor) in LIMITS.items() if name in limits]
    return f" It also shows *unsure*, with the reason, for a face that is {', '.join(phrases)}." if phrases else ""
