"""The canonical emotions, their order and the other names they go by."""

from __future__ import annotations

EMOTIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")

_ALIASES = {
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
    key = name.strip().lower()
    key = _ALIASES.get(key, key)
    if key not in EMOTIONS:
        raise ValueError(f"unknown emotion {name!r}; expected one of {', '.join(EMOTIONS)} or {', '.join(_ALIASES)}")
    return key
