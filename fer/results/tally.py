"""Counts over a run: files, faces, failures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .types import ImageResult


def count(number: int, noun: str) -> str:
    """A number with its noun in the singular or plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass
class Tally:
    """Counts of a run over many files."""

    before: int = 0  # files done by an earlier run
    failed_before: int = 0  # of these, files that could not be read
    files: int = 0  # started in this run
    frames: int = 0  # of videos
    without_face: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    unsure: Counter[str] = field(default_factory=Counter)  # faces, by the reason
    failures: Counter[str] = field(default_factory=Counter)  # by the first words of the error
    last: str = ""

    def add(self, result: ImageResult) -> None:
        self.files += result.path != self.last
        self.last = result.path
        self.frames += result.frame is not None
        self.without_face += not result.faces and not result.error
        self.emotions.update(face.label for face in result.faces)
        self.unsure.update(face.unsure for face in result.faces if face.unsure)
        if result.error:
            self.failures[result.error.partition(" (")[0]] += 1

    def short(self) -> dict[str, int]:
        counts = {"faces": self.emotions.total(), "failed": self.failures.total()}
        return ({"frames": self.frames} if self.frames else {}) | counts

    def begin(self, before: int, failed_before: int) -> None:
        """Note what an earlier run has done."""
        self.before, self.failed_before = before, failed_before

    def describe(self) -> list[str]:
        """The summary, as lines of text."""
        faces = ", ".join(f"{name} {n}" for name, n in self.emotions.most_common()) or "none"
        frames = f", {count(self.frames, 'frame')}" if self.frames else ""
        before = f" (and {self.before} before)" if self.before else ""
        without = count(self.without_face, "picture") if self.frames else self.without_face
        lines = [
            f"{count(self.files, 'file')}{before}{frames}, {count(self.emotions.total(), 'face')}, "
            f"{without} without a face, {self.failures.total()} could not be read",
            f"faces: {faces}",
        ]
        if self.unsure:
            reasons = ", ".join(f"{reason} {n}" for reason, n in self.unsure.most_common())
            lines.append(f"unsure: {self.unsure.total()} of these faces ({reasons})")
        if self.failed_before:
            lines.append(f"not read before: {self.failed_before}; --retry-errors does them again")
        return lines + [f"not read: {n} {reason}" for reason, n in self.failures.most_common()]
