"""What the doctor found, in words, numbers and pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..images import write_image
from .dataset import Dataset
from .doctor import Examination, draw_contact_sheet, draw_near_copies


def format_examination(found: Examination, dataset: Dataset) -> str:
    """Counts per split and class, the label map with an example of each class, sizes, remarks and problems."""
    lines = []
    for split, samples in found.splits.items():
        counts = ", ".join(f"{name} {n:,}" for name, n in samples.counts().items())
        lines.append(f"{split}: {len(samples):,} images (layout: {samples.layout}; rule: {samples.rule}): {counts}")
        if figures := found.figures["images"].get(split):
            (w0, w1, w2), (h0, h1, h2) = figures["width"], figures["height"]
            lines.append(
                f"    pixels {w0}x{h0} to {w2}x{h2}, median {w1}x{h1}; gray {figures['gray']:.0%}; mean brightness "
                f"{figures['brightness']:.0f} of 255"
            )
    lines.append("labels:")
    first = next(iter(found.splits.values()))
    for name in first.classes:
        raw = ", ".join(key for key, label in dataset.labels.items() if label == name) or name
        lines.append(f"    {raw} -> {name}, e.g. {_example(found, name)}")
    lines += [f"remark: {text}" for text in found.remarks]
    lines += [f"PROBLEM: {text}" for text in found.problems]
    lines.append(f"{len(found.problems)} problems" if found.problems else "no problem found")
    return "\n".join(lines)


def _example(found: Examination, label: str) -> str:
    for samples in found.splits.values():
        if label in samples.classes:
            of_class = samples.targets.argmax(1) == samples.classes.index(label)
            if of_class.any():
                return samples.names[int(of_class.argmax())]
    return "none"


def write_examination(found: Examination, out: Path) -> None:
    """Write report.json, a contact sheet `SPLIT-CLASS.png` of every class in every split, and near.png into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    report = {"dataset": found.dataset, "problems": found.problems, "remarks": found.remarks, "absent": found.absent}
    (out / "report.json").write_text(json.dumps(report | found.figures, indent=2, ensure_ascii=False))
    for split, samples in found.splits.items():
        for label, n in samples.counts().items():
            if n:
                name = re.sub(r"[^\w-]", "-", label)  # a class may be called anything
                write_image(out / f"{split}-{name}.png", draw_contact_sheet(samples, label))
    if found.near:
        write_image(out / "near.png", draw_near_copies(found))
