"""The canonical emotions, their order and aliases; which names may be classes."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from unicodedata import category

log = logging.getLogger("fer")

EMOTIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
"""The canonical emotions in their order. Datasets with seven classes have the first seven."""

VA = ("valence", "arousal")
"""What a network may give besides emotions: how pleasant and how excited a face looks (Russell 1980), -1 to 1."""

NAMES = {name: name for name in EMOTIONS} | {
    "happy": "happiness",
    "sad": "sadness",
    "surprised": "surprise",
    "fearful": "fear",
    "afraid": "fear",
    "disgusted": "disgust",
    "angry": "anger",
}
"""{name: canonical emotion}, for all known names in lower case."""


def canonical(name: str) -> str:
    """The canonical emotion for a name: noun or adjective, upper or lower case.

    Raises:
        ValueError: no emotion has this name.
    """
    try:
        return NAMES[name.strip().lower()]
    except KeyError:
        raise ValueError(f"unknown emotion {name!r}; expected one of {', '.join(NAMES)}") from None


def class_of(name: str) -> str:
    """The canonical emotion with this name if there is one; otherwise the name itself, stripped of blanks."""
    return NAMES.get(name.strip().lower(), name.strip())


def order_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Sort names into classes, each once: the canonical emotions in their order, then the others alphabetically.

    The others are logged once, because a misspelt emotion would be among them.

    Raises:
        ValueError: see `check_classes`.
    """
    known = {class_of(name) for name in names}
    others = tuple(sorted(known - set(EMOTIONS)))
    classes = (*(emotion for emotion in EMOTIONS if emotion in known), *others)
    check_classes(classes)
    if others:
        _tell_others(others)
    return classes


@cache
def _tell_others(others: tuple[str, ...]) -> None:
    near = {name: get_close_matches(name.lower(), NAMES, 1, 0.8) for name in others}
    hints = "".join(f"; is {name!r} meant to be {canonical(match[0])}?" for name, match in near.items() if match)
    log.info("classes that are not among the %d emotions: %s%s", len(EMOTIONS), ", ".join(others), hints)


# Columns of the rows of `fer predict` and of the shards of `fer pack` besides those of the classes.
RESERVED = frozenset(
    (
        *("path", "frame", "time", "face", "track", "status", "error", "x1", "y1", "x2", "y2"),
        *("detection_score", "detector", "aligned", "label", "confidence", "unsure"),
        *("size", "sharpness", "brightness", "yaw", "pitch", "roll", "image", "name", *VA),
    )
)


def check_classes(names: Iterable[object]) -> None:
    """Raises ValueError unless `names` can be the classes of a network.

    There must be at least one. Each must be one non-empty line of text without blanks around it,
    occur once, and differ from the other columns of the results (RESERVED).
    """
    seen = set()
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"classes: expected names, got {name!r}")
        if name != name.strip() or not name:
            raise ValueError(f"classes: expected names without blanks around them, got {name!r}")
        if any(category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
            raise ValueError(f"classes: expected names without control characters, got {name!r}")
        if name in RESERVED:
            raise ValueError(f"classes: {name!r} is the name of another column of the results; choose another name")
        if name in seen:
            raise ValueError(f"classes: {name!r} occurs twice")
        seen.add(name)
    if not seen:
        raise ValueError("classes: expected at least one name, got none")
