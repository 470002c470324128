"""An evaluation as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import os
import platform
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from ..io.atomic import write_atomically
from ..io.images import encode_image
from .comparison import Comparison
from .evaluate import Evaluation
from .groups import Grouping
from .heads import HeadReport
from .predictions import NO_PREDICTION, PredictionTable
from .robustness import Robustness

MISTAKES, HITS, DIFFERENT = 24, 12, 24  # pictures shown of each kind
PICTURE = 96  # pixels


@dataclass
class Chart:
    """Lines over two axes that both run from 0 to 1 of the values given, as SVG coordinates."""

    label: str
    x_label: str
    y_label: str
    x_range: tuple[float, float] = (0, 1)
    y_range: tuple[float, float] = (0, 1)
    lines: list[tuple[str, str]] = field(default_factory=list)  # CSS class, points
    dots: list[tuple[str, float, float]] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)  # x of a vertical line, its text

    WIDTH, HEIGHT, LEFT, BOTTOM = 360, 240, 44, 36

    def x(self, value: float) -> float:
        low, high = self.x_range
        return round(self.LEFT + (value - low) / (high - low) * (self.WIDTH - self.LEFT - 8), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return round(8 + (high - value) / (high - low) * (self.HEIGHT - self.BOTTOM - 8), 1)

    def ticks(self, axis: tuple[float, float]) -> list[float]:
        return [float(v) for v in np.linspace(*axis, 6)]

    def add_line(self, kind: str, xs: Sequence[float], ys: Sequence[float], dots: bool = False) -> None:
        self.lines.append((kind, " ".join(f"{self.x(a)},{self.y(b)}" for a, b in zip(xs, ys))))
        if dots:
            self.dots += [(kind, self.x(a), self.y(b)) for a, b in zip(xs, ys)]


@dataclass(frozen=True)
class Picture:
    """One image with what is said under it."""

    url: str
    alt: str
    lines: list[str]


def reliability_chart(evaluation: Evaluation) -> Chart:
    chart = Chart("Accuracy of the predictions by their confidence", "confidence", "accuracy")
    chart.add_line("reference", (0, 1), (0, 1))
    bins = evaluation.reliability
    chart.add_line("measured", [b.confidence for b in bins], [b.accuracy for b in bins], dots=True)
    return chart


def risk_chart(evaluation: Evaluation) -> Chart:
    """Errors among the most confident predictions, by the share of the images that they are."""
    curve = evaluation.risk_coverage
    top = max(0.02, float(np.ceil(20 * max(curve.risk, default=0)) / 20))
    chart = Chart("Errors among the most confident predictions", "coverage", "error rate", y_range=(0, top))
    chart.add_line("measured", curve.coverage, curve.risk)
    sure = 1 - evaluation.selective.unsure
    chart.marks.append((chart.x(sure), f"threshold of unsure: {sure:.1%} covered"))
    return chart


def choose_pictures(table: PredictionTable) -> dict[str, np.ndarray]:
    """Rows of the most confident mistakes and of the least certain hits."""
    if table.probs is None:
        return {}
    confidence = np.nan_to_num(table.probs.max(1))
    predicted = table.labels != NO_PREDICTION
    wrong, right = np.flatnonzero(~table.correct & predicted), np.flatnonzero(table.correct)
    return {
        "mistakes": wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES],
        "hits": right[np.argsort(confidence[right], kind="stable")][:HITS],
    }


def show(
    table: PredictionTable, row: int, read: Callable[[int], np.ndarray], other: PredictionTable | None = None
) -> Picture:
    """The picture of one image of the table."""
    truth, label = table.classes[table.truth[row]], _name(table, row)
    confidence = "" if table.probs is None else f" {table.probs[row].max():.0%}"
    lines = [f"true: {truth}", f"here: {label}{confidence}"]
    if other is not None:
        lines.append(f"other: {_name(other, row)}")
    if table.votes is not None:
        lines.append(f"votes: {table.votes[row, table.truth[row]]:.0%} {truth}")
    image = base64.b64encode(encode_image(read(row), "jpeg", 85)).decode()
    return Picture(f"data:image/jpeg;base64,{image}", f"{truth} taken for {label}", lines)


def _name(table: PredictionTable, row: int) -> str:
    return "no face" if table.labels[row] == NO_PREDICTION else table.classes[table.labels[row]]


def write_page(
    path: str | os.PathLike,
    evaluation: Evaluation,
    table: PredictionTable,
    read: Callable[[int], np.ndarray],
    *,
    comparison: tuple[Comparison, PredictionTable] | None = None,
    groupings: Sequence[Grouping] = (),
    robustness: Sequence[Robustness] = (),
    heads: HeadReport | None = None,
    environment: dict | None = None,
) -> None:
    """Write the page of an evaluation.

    Args:
        path: the HTML file; it loads nothing else.
        evaluation, table: of the same predictions.
        read: gives the picture of a row, RGB uint8 [H,W,3].
        comparison: with the table of the other one.
        groupings: figures by groups.
        robustness: see `measure_robustness`.
        heads: see `evaluate_heads`.
        environment: name -> value, shown at the end.
    """
    import jinja2

    folder = Path(__file__).parent
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    templates.filters["percent"] = lambda value, digits=1: "–" if value is None else f"{value:.{digits}%}"
    pictures = {name: [show(table, int(row), read) for row in rows] for name, rows in choose_pictures(table).items()}
    if comparison:
        rows = comparison[0].differ[:DIFFERENT]
        pictures["different"] = [show(table, row, read, comparison[1]) for row in rows]
    html = templates.get_template("page.html").render(
        e=evaluation,
        m=evaluation.metrics,
        table=table,
        charts=[reliability_chart(evaluation), risk_chart(evaluation)] if evaluation.reliability else [],
        pictures=pictures,
        comparison=comparison and comparison[0],
        groupings=groupings,
        robustness=robustness,
        heads=heads,
        environment=environment or {},
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    )
    write_atomically(path, lambda temporary: temporary.write_text(html, encoding="utf-8"))
