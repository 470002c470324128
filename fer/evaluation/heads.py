"""What each attention head looks at, and what the network does without it: `fer evaluate --heads`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..data import Samples
from ..data.loader import CropDataset, make_loader
from ..description import Description
from ..faces import Detection, create_detector, crop_transform
from ..faces.regions import REGIONS, face_regions
from ..resources import find_checkpoint
from ..visualization.attention import draw_attention
from .evaluate import Subject
from .metrics import accuracy
from .samples import find_faces


@dataclass
class HeadReport:
    """Figures of the K heads of a network on a sample of a split."""

    n: int  # number of faces
    accuracy: float  # on one crop of each face
    regions: list[dict[str, float]]  # of each head: the share of its attention in each of REGIONS, mean over the faces
    overlap: list[list[float]]  # [K,K]: cosine similarity of the maps of two heads, mean over the faces
    accuracy_without: list[float]  # of each head: the accuracy if its output is the same for each face, the mean
    attention: list  # mean map of each head [K,h,w]
    face: np.ndarray  # mean of the crops, gray uint8 [S,S]
    grid: list[float]  # places of the maps' cells, see `Description`


def evaluate_heads(subject: Subject, faces: int, seed: int = 0) -> HeadReport:
    """Measure the heads of a `.safetensors` checkpoint on a random sample of a split, with PyTorch.

    The network sees one crop of each face. The regions are those of the landmarks that were detected or annotated;
    without them, those of the checkpoint's template.

    Args:
        subject: see `load_subject`.
        faces: size of the sample; a smaller split is taken as a whole.
        seed: of the sample.

    Raises:
        ValueError: not a `.safetensors` checkpoint, or there are neither landmarks nor a template.
    """
    import torch

    from ..models.checkpoint import load_checkpoint
    from ..models.inputs import normalize

    request, samples = subject.request, subject.samples
    model, description = load_checkpoint(find_checkpoint(request.weights))
    samples = samples.subset(np.sort(np.random.default_rng(seed).permutation(len(samples))[:faces]))
    if samples.boxes is None and request.detector != "none":
        samples, _ = find_faces(samples, create_detector(request.detector, request.detector_weights))
    landmarks = place_landmarks(samples, description)
    dataset = CropDataset(samples, description.preprocessing, np.reshape(description.template, (-1, 2)))
    with torch.inference_mode():
        batches = [
            (*model.attention(model.backbone.features(normalize(crops, description.preprocessing))), target, crops)
            for crops, target in make_loader(dataset, request.batch_size)
        ]
        # [N,K,D], [N,K,h,w], [N,C], [N,S,S,1 or 3]
        heads, attention, targets, crops = (torch.cat(part) for part in zip(*batches))
        columns = [description.classes.index(name) for name in samples.classes]

        def measure(heads: torch.Tensor) -> float:
            return accuracy(model.norm(model.classifier(model.fuse(heads)[1])).numpy()[:, columns], targets.numpy())

        without = []
        for k in range(heads.shape[1]):
            changed = heads.clone()
            changed[:, k] = heads[:, k].mean(0)
            without.append(measure(changed))
        return HeadReport(
            len(samples),
            measure(heads),
            _region_shares(attention.numpy(), landmarks, description),
            _pairwise_overlap(attention.numpy()),
            without,
            attention.mean(0).tolist(),
            crops.float().mean((0, 3)).byte().numpy(),
            list(description.grid),
        )


def place_landmarks(samples: Samples, description: Description) -> np.ndarray:
    """The landmarks of each face in its crop, as fractions of the side [N,5,2]; the template where they are unknown."""
    template = np.reshape(description.template, (-1, 2))
    if not len(template):
        raise ValueError("--heads: this checkpoint has no template, so it is not known where the parts of a face are")
    placed = np.tile(template, (len(samples), 1, 1))
    if samples.boxes is not None and samples.landmarks is not None:
        for i in np.flatnonzero(~np.isnan(samples.landmarks).any((1, 2))):
            transform = crop_transform(Detection(samples.boxes[i], samples.landmarks[i], 1.0), template)
            placed[i] = samples.landmarks[i] @ transform[:, :2].T + transform[:, 2]
    return placed


def _region_shares(attention: np.ndarray, landmarks: np.ndarray, description: Description) -> list[dict[str, float]]:
    n, k, h, w = attention.shape
    regions = face_regions(landmarks, (h, w), description.grid)  # [N,h,w]
    shares = attention / np.maximum(attention.sum((2, 3), keepdims=True), 1e-12)
    inside = np.stack([(shares * (regions == r)[:, None]).sum((2, 3)).mean(0) for r in range(len(REGIONS))], 1)
    return [dict(zip(REGIONS, row)) for row in inside.round(4).tolist()]  # [K,R]


def _pairwise_overlap(attention: np.ndarray) -> list[list[float]]:
    maps = attention.reshape(*attention.shape[:2], -1)
    maps = maps / np.maximum(np.linalg.norm(maps, axis=2, keepdims=True), 1e-12)
    return (maps @ maps.swapaxes(1, 2)).mean(0).round(4).tolist()


def format_heads(report: HeadReport) -> str:
    """A report as text: a line per head."""
    numbers = "  ".join(f"with {k}" for k in range(1, len(report.regions) + 1))
    lines = [
        f"heads on {report.n} faces, one crop of each: accuracy {report.accuracy:.2%}",
        f"  head  {'  '.join(REGIONS)}  overlap {numbers}  accuracy without",
    ]
    for k, (regions, overlap, without) in enumerate(zip(report.regions, report.overlap, report.accuracy_without)):
        shares = "  ".join(f"{share:{len(name)}.0%}" for name, share in regions.items())
        pairs = "  ".join(" " * 6 if j == k else f"{value:6.2f}" for j, value in enumerate(overlap))
        lines.append(f"  {k + 1:4}  {shares}          {pairs}  {without:16.2%}")
    return "\n".join(lines)


def write_heads(out: Path, report: HeadReport) -> None:
    """Write heads.json, and heads.png with the mean map of each head over the mean face, into the folder `out`."""
    figures = asdict(report)
    del figures["face"]
    (out / "heads.json").write_text(json.dumps(figures, indent=2) + "\n")
    plot_heads(report, out / "heads.png")


def plot_heads(report: HeadReport, path: Path) -> None:
    """Draw the mean map of each head over the mean face, with the region that has most of its attention."""
    from matplotlib.figure import Figure

    face = np.interp(report.face, (report.face.min(), report.face.max()), (0, 255)).astype(np.uint8)
    _, *pictures = draw_attention(np.dstack([face] * 3), np.array(report.attention), 224, report.grid)
    figure = Figure(figsize=(2.2 * len(pictures), 2.4), layout="constrained")
    for k, (axes, picture) in enumerate(zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures)):
        region, share = max(report.regions[k].items(), key=lambda item: item[1])
        axes.imshow(picture)
        axes.set_title(f"head {k + 1}: {region}, {share:.0%}", fontsize=9)
        axes.axis("off")
    figure.savefig(path, dpi=120)
