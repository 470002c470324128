"""The canonical emotions, their order and the other names they go by."""

from __future__ import annotations

EMOTIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")

NAMES = {name: name for name in EMOTIONS} | {  # all names that are understood, in lower case
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "fearful": "fear",
    "afraid": "fear",
    "disgusted": "disgust",
    "angry": "anger",
}


def canonical(name: str) -> str:
    """The canonical emotion for `name`, in any case, noun or adjective.

    Raises:
        ValueError: no emotion goes by that name.
    """
    try:
        return NAMES[name.strip().lower()]
    except KeyError:
        raise ValueError(f"unknown emotion {name!r}; expected one of {', '.join(NAMES)}") from None
