"""The report of a dataset check: text, JSON and contact sheets."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..io.images import write_image
from .check import DatasetCheck, draw_contact_sheet, draw_near_copies
from .dataset import Dataset


def format_check(check: DatasetCheck, dataset: Dataset) -> str:
    """Format counts per split and class, sizes, the label map with examples, remarks and problems."""
    lines = []
    for split, samples in check.splits.items():
        counts = ", ".join(f"{name} {n:,}" for name, n in samples.counts().items())
        lines.append(f"{split}: {len(samples):,} images (layout: {samples.layout}; rule: {samples.rule}): {counts}")
        if figures := check.figures["images"].get(split):
            (w0, w1, w2), (h0, h1, h2) = figures["width"], figures["height"]
            lines.append(
                f"    pixels {w0}x{h0} to {w2}x{h2}, median {w1}x{h1}; gray {figures['gray']:.0%}; mean brightness "
                f"{figures['brightness']:.0f} of 255"
            )
    lines.append("labels:")
    first = next(iter(check.splits.values()))
    for name in first.classes:
        raw = ", ".join(key for key, label in dataset.labels.items() if label == name) or name
        lines.append(f"    {raw} -> {name}, e.g. {_example(check, name)}")
    lines += [f"remark: {text}" for text in check.remarks]
    lines += [f"PROBLEM: {text}" for text in check.problems]
    lines.append(f"{len(check.problems)} problems" if check.problems else "no problem found")
    return "\n".join(lines)


def _example(check: DatasetCheck, label: str) -> str:
    for samples in check.splits.values():
        if label in samples.classes:
            of_class = samples.targets.argmax(1) == samples.classes.index(label)
            if of_class.any():
                return samples.names[int(of_class.argmax())]
    return "none"


def write_check(check: DatasetCheck, out: Path) -> None:
    """Write report.json, a contact sheet `SPLIT-CLASS.png` of every class in every split, and near.png into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    report = {"dataset": check.dataset, "problems": check.problems, "remarks": check.remarks, "absent": check.absent}
    (out / "report.json").write_text(json.dumps(report | check.figures, indent=2, ensure_ascii=False))
    for split, samples in check.splits.items():
        for label, n in samples.counts().items():
            if n:
                name = re.sub(r"[^\w-]", "-", label)  # class names may hold any characters
                write_image(out / f"{split}-{name}.png", draw_contact_sheet(samples, label))
    if check.near:
        write_image(out / "near.png", draw_near_copies(check))
