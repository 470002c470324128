"""Report of an evaluation: metrics.json, plots, and a summary as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .affect import format_va
from .calibration import ReliabilityBin
from .comparison import Comparison
from .evaluate import EndToEnd, Evaluation
from .groups import Grouping
from .metrics import VoterAgreement


def plot_confusion(matrix: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Draw a confusion matrix [C,C] (counts; rows true, columns predicted), with the shares in each row."""
    from matplotlib.figure import Figure

    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(1.5 + 0.85 * len(classes), 1.5 + 0.75 * len(classes)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(matrix.shape):
        ink = "white" if share[row, column] > 0.5 else "black"
        text = f"{matrix[row, column]}\n{share[row, column]:.0%}" if matrix[row, column] else "0"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", parse_math=False)
    axes.set_yticks(range(len(classes)), classes, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    figure.savefig(path, dpi=120)


def plot_reliability(table: list[ReliabilityBin], path: Path, title: str) -> None:
    """Draw a reliability diagram from the bins of `reliability`: accuracy over confidence, and a histogram."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5.5), layout="constrained")
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    confidence, accuracy, n = zip(*((b.confidence, b.accuracy, b.n) for b in table))
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="confidence = accuracy")
    axes.plot(confidence, accuracy, marker="o", label="measured")
    axes.set(ylabel="accuracy", ylim=(0, 1.02), title=title)
    axes.legend()
    counts.bar(confidence, n, width=0.04, color="0.5")
    counts.set(xlabel="confidence", ylabel="images", xlim=(0, 1.02))
    figure.savefig(path, dpi=120)


def plot_attention(maps: np.ndarray, path: Path, title: str) -> None:
    """Draw the mean attention maps of the heads [K,h,w] side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1 + 2.2 * len(maps), 2.9), layout="constrained")
    for k, (axes, head) in enumerate(zip(figure.subplots(1, len(maps), squeeze=False)[0], maps), 1):
        picture = axes.imshow(head, vmin=0, vmax=maps.max(), cmap="magma")
        axes.set(title=f"head {k}", xticks=[], yticks=[])
    figure.colorbar(picture, label="weight, mean 1")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def format_summary(evaluation: Evaluation) -> str:
    """Format an evaluation as text: the main metrics, then a line per class."""
    e, m, sure = evaluation, evaluation.metrics, evaluation.selective
    lines = [
        f"{e.dataset} {e.split}, rule {e.rule}, n = {m.n}",
        f"  accuracy            {m.accuracy:7.2%}",
        f"  balanced accuracy   {m.balanced_accuracy:7.2%}",
        f"  macro F1            {m.macro_f1:7.2%}",
        f"  calibration error   {m.expected_calibration_error:7.2%}  (temperature {e.temperature:.2f})",
        f"  unsure              {sure.unsure:7.2%}  (confidence below {sure.unsure_below:.2f})",
        f"  coverage            {e.risk_coverage.coverage_at_95:7.2%}  (at an accuracy of 95 %)",
        f"  attention overlap   {e.attention.attention_overlap:7.2f}",
    ]
    if e.accuracy_without_duplicates is not None:
        lines.insert(2, f"  without duplicates  {e.accuracy_without_duplicates:7.2%}  (n = {e.n_without_duplicates})")
    if sure.accuracy_when_sure is not None:
        lines[-3] += f"; accuracy of the others {sure.accuracy_when_sure:.2%}"
    lines.append(f"  {'class':<12}{'n':>6}{'recall':>9}{'precision':>11}{'F1':>9}")
    for name, c in m.per_class.items():
        lines.append(f"  {name:<12}{c.n:>6}{_percent(c.recall):>9}{_percent(c.precision):>11}{_percent(c.f1):>9}")
    lines += _format_end_to_end(e.end_to_end) if e.end_to_end else []
    lines += format_va(e.va)
    return "\n".join(lines + (_format_agreement(e.agreement) if e.agreement else []))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def _format_end_to_end(figures: EndToEnd) -> list[str]:
    found = "-" if figures.accuracy_when_found is None else f"{figures.accuracy_when_found:.2%}"
    lines = [
        f"  end to end          {figures.end_to_end_accuracy:7.2%}  (no face in {figures.n_without_face} images, which "
        f"count as wrong; accuracy of the others {found})"
    ]
    if figures.accuracy_as_given is not None:
        lines.append(f"  without detector    {figures.accuracy_as_given:7.2%}  (the images as the dataset gives them)")
    return lines


def _format_agreement(agreement: VoterAgreement) -> list[str]:
    a = agreement
    return [
        f"  the true class is named by a single voter in {a.voter_accuracy:.2%}, by the network in {a.accuracy:.2%}",
        f"  cross-entropy with the votes {a.cross_entropy:.3f}, of which their entropy is {a.entropy_of_votes:.3f}",
        f"  share of the votes for the predicted class {a.share_of_votes:.2%}; the largest possible is "
        f"{a.best_share_of_votes:.2%}",
        f"  {'leading share':<18}{'n':>6}{'accuracy':>10}",
        *(f"  {b.above:>6.0%} to {b.up_to:>4.0%}    {b.n:>6}{b.accuracy:>10.2%}" for b in agreement.by_agreement),
    ]


def write_report(
    out: Path, evaluation: Evaluation, comparison: Comparison | None = None, groupings: Sequence[Grouping] = ()
) -> None:
    """Write an evaluation into the folder `out`: metrics.json and pictures."""
    out.mkdir(parents=True, exist_ok=True)
    figures = evaluation.to_dict()
    if comparison:
        figures["comparison"] = asdict(comparison)
    if groupings:
        figures["groups"] = [asdict(grouping) for grouping in groupings]
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    e, m = evaluation, evaluation.metrics
    title = f"{e.dataset} {e.split} ({e.rule}, n = {m.n}): {m.accuracy:.2%}"
    attention_title = f"attention of the heads, mean of {m.n} images; overlap {e.attention.attention_overlap:.2f}"
    plot_attention(np.array(e.attention.attention), out / "attention.png", attention_title)
    plot_reliability(e.reliability, out / "reliability.png", title)
    plot_confusion(np.array(m.confusion_matrix), e.classes, out / "confusion.png", title)
