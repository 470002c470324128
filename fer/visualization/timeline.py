"""Timelines: the emotions of tracks over time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..results.types import ImageResult
from ..terminal import log_at
from .colors import color_of

TRACKS = 6  # the longest tracks, which are drawn


class Timeline:
    """Collects the results of a video's frames and draws the emotions of its longest tracks.

    Args:
        rate: points kept per second of a track. An hour of video takes a few megabytes.
    """

    def __init__(self, rate: float = 5.0):
        self.step = 1 / rate
        self.tracks: dict[int, list[tuple[float, list[float]]]] = {}
        self.classes: list[str] = []

    def add(self, result: ImageResult) -> None:
        for face in result.faces:
            if face.track is None or result.time is None or result.repeated:
                continue
            self.classes = list(face.probs)
            points = self.tracks.setdefault(face.track, [])
            if not points or result.time - points[-1][0] >= self.step - 1e-6:
                points.append((result.time, [round(p, 3) for p in face.probs.values()]))

    def draw(self, path: str | Path | BinaryIO) -> bool:
        """Draw a row per track, with stacked probabilities; returns False if no face was tracked.

        Args:
            path: of the picture, or a binary file, which gets a PNG.
        """
        longest = sorted(self.tracks, key=lambda t: -len(self.tracks[t]))[:TRACKS]
        if not longest:
            return False
        with log_at(logging.getLogger("matplotlib"), logging.ERROR):  # it reports its font cache
            self._draw(path, longest)
        return True

    def _draw(self, path: str | Path | BinaryIO, longest: list[int]) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        end = max(points[-1][0] for points in self.tracks.values()) + self.step
        figure = Figure(figsize=(10, 0.8 + 1.5 * len(longest)), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, track in zip(figure.subplots(len(longest), 1, sharex=True, squeeze=False).flat, sorted(longest)):
            times, probs = self._with_gaps(*map(np.array, zip(*self.tracks[track])))
            colours = [np.array(color_of(name, self.classes)) / 255 for name in self.classes]
            areas = axes.stackplot(times, probs.T, colors=colours, step="post", linewidth=0)
            axes.set(ylim=(0, 1), xlim=(0, end), ylabel=f"face {track}", yticks=[0, 1])
        axes.set_xlabel("seconds")
        names = [
            f" {name}" if name[0] == "_" else name for name in self.classes
        ]  # Matplotlib hides names that start with _
        columns = min(len(names), 8)
        legend = figure.legend(areas, names, loc="outside upper center", ncols=columns, frameon=False, fontsize="small")
        for text in legend.get_texts():
            text.set_parse_math(False)
        figure.savefig(path, dpi=110)

    def _with_gaps(self, times: np.ndarray, probs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Set the probabilities to 0 while the face was not seen."""
        ends = np.flatnonzero(np.diff(times, append=np.inf) > 4 * self.step)
        after = times[ends] + self.step
        times = np.insert(times, ends + 1, after)
        return times, np.insert(probs, ends + 1, 0.0, axis=0)
