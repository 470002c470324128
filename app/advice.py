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


def advise(face: Face) -> str:
    """A sentence for an unsure face; "" for a sure one."""
    if not face.unsure:
        return ""
    return ADVICE[face.unsure].format(size=face.quality.size if face.quality else float("nan"))
