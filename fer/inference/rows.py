"""Results as rows: one per face."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .results import ImageResult

COLUMNS = (
    *("path", "frame", "time", "face", "track", "status", "error", "x1", "y1", "x2", "y2"),
    *("detection_score", "detector", "aligned", "label", "confidence", "unsure"),
)  # then one column per emotion
INTEGERS, BOOLEANS = {"frame", "face", "track"}, {"aligned", "unsure"}
TEXTS = {"path", "status", "error", "detector", "label"}  # the other columns are numbers


def to_rows(result: ImageResult) -> Iterator[dict]:
    """One row per face; an image without a face has one of status no_face, an unreadable one one of status error."""
    place = {"path": result.path, "frame": result.frame}
    place["time"] = None if result.time is None else round(result.time, 3)
    if result.error:
        yield {**place, "status": "error", "error": result.error}
    elif not result.faces:
        yield {**place, "status": "no_face", "detector": result.detector or None}
    for i, face in enumerate(result.faces):
        box = dict(zip(("x1", "y1", "x2", "y2"), (round(float(v), 1) for v in face.box)))
        score = None if math.isnan(face.detection_score) else round(face.detection_score, 4)
        yield {
            **place,
            **{"face": i, "track": face.track, "status": "ok", **box, "detection_score": score},
            **{"detector": result.detector or None, "aligned": face.aligned},
            **{"label": face.label, "confidence": round(face.confidence, 4), "unsure": face.unsure},
            **{name: round(p, 4) for name, p in face.probs.items()},
        }


@dataclass
class Tally:
    """What a run has found so far."""

    before: int = 0  # files that an earlier run has done
    failed_before: int = 0  # those of them that could not be read
    files: int = 0  # that are begun
    frames: int = 0  # of videos
    without_face: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # by the first words of the reason
    last: str = ""

    def add(self, result: ImageResult) -> None:
        self.files += result.path != self.last
        self.last = result.path
        self.frames += result.frame is not None
        self.without_face += not result.faces and not result.error
        self.emotions.update(face.label for face in result.faces)
        if result.error:
            self.failures[result.error.partition(" (")[0]] += 1

    def short(self) -> dict[str, int]:
        counts = {"faces": self.emotions.total(), "failed": self.failures.total()}
        return ({"frames": self.frames} if self.frames else {}) | counts

    def begin(self, before: int, failed_before: int) -> None:
        """What an earlier run has done."""
        self.before, self.failed_before = before, failed_before

    def describe(self) -> list[str]:
        """Lines of text."""
        faces = ", ".join(f"{name} {n}" for name, n in self.emotions.most_common()) or "none"
        frames = f", {self.frames} frames" if self.frames else ""
        lines = [
            f"{self.files} files{f' (and {self.before} before)' if self.before else ''}{frames}, {self.emotions.total()} faces, "
            f"{self.without_face} {'pictures ' if self.frames else ''}without a face, {self.failures.total()} could not be read",
            f"faces: {faces}",
        ]
        if self.failed_before:
            lines.append(f"not read before: {self.failed_before}; --retry-errors does them again")
        return lines + [f"not read: {n} {reason}" for reason, n in self.failures.most_common()]
