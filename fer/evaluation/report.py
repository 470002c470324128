"""Evaluation as files: metrics.json and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def plot_confusion(matrix: np.ndarray, classes: Sequence[str], path: Path, title: str) -> None:
    """Draw counts [C,C] (rows true, columns predicted) with the share of each row."""
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


def plot_reliability(table: list[dict], path: Path, title: str) -> None:
    """Draw accuracy over confidence, from the bins of `reliability`, with how many images each holds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5.5), layout="constrained")
    axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    confidence, accuracy, n = ([row[key] for row in table] for key in ("confidence", "accuracy", "n"))
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


def format_summary(metrics: dict) -> str:
    """The figures of `summarize` as text: the headline, then a line per class."""
    lines = [
        f"{metrics['dataset']} {metrics['split']}, rule {metrics['rule']}, n = {metrics['n']}",
        f"  accuracy            {metrics['accuracy']:7.2%}",
        f"  balanced accuracy   {metrics['balanced_accuracy']:7.2%}",
        f"  macro F1            {metrics['macro_f1']:7.2%}",
        f"  calibration error   {metrics['expected_calibration_error']:7.2%}  (temperature {metrics['temperature']:.2f})",
        f"  unsure              {metrics['unsure']:7.2%}  (confidence below {metrics['unsure_below']:.2f})",
        f"  attention overlap   {metrics['attention_overlap']:7.2f}",
    ]
    if metrics.get("accuracy_without_duplicates") is not None:
        n = metrics["n_without_duplicates"]
        lines.insert(2, f"  without duplicates  {metrics['accuracy_without_duplicates']:7.2%}  (n = {n})")
    if metrics["accuracy_when_sure"] is not None:
        lines[-2] += f"; accuracy of the others {metrics['accuracy_when_sure']:.2%}"
    lines.append(f"  {'class':<12}{'n':>6}{'recall':>9}{'precision':>11}{'F1':>9}")
    for name, row in metrics["per_class"].items():
        cells = [f"{'-' if row[key] is None else format(row[key], '.2%')}" for key in ("recall", "precision", "f1")]
        lines.append(f"  {name:<12}{row['n']:>6}{cells[0]:>9}{cells[1]:>11}{cells[2]:>9}")
    if "by_agreement" in metrics:
        share, best = metrics["share_of_votes"], metrics["best_share_of_votes"]
        lines.append(
            f"  share of the predicted class in the target {share:.2%}; no prediction could have more than {best:.2%}"
        )
        lines.append(f"  {'leading share':<18}{'n':>6}{'accuracy':>10}")
        for row in metrics["by_agreement"]:
            lines.append(f"  {row['above']:>6.0%} to {row['up_to']:>4.0%}    {row['n']:>6}{row['accuracy']:>10.2%}")
    return "\n".join(lines)


def write_report(out: Path, metrics: dict) -> None:
    """Write what `evaluate_checkpoint` gave into the folder `out`: metrics.json and pictures."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    title = (
        f"{metrics['dataset']} {metrics['split']} ({metrics['rule']}, n = {metrics['n']}): {metrics['accuracy']:.2%}"
    )
    overlap = f"where the heads look, mean of {metrics['n']} images; overlap {metrics['attention_overlap']:.2f}"
    plot_attention(np.array(metrics["attention"]), out / "attention.png", overlap)
    plot_reliability(metrics["reliability"], out / "reliability.png", title)
    plot_confusion(np.array(metrics["confusion_matrix"]), metrics["classes"], out / "confusion.png", title)
