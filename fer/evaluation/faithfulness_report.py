"""The faithfulness of a checkpoint's attention on a labelled split: measured, as a table, and as files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..data import Samples
from ..data.loader import CropDataset
from ..description import Description
from ..faces import create_detector
from ..resources import find_checkpoint
from ..results.explanation import fuse_attention
from ..runtimes.types import NetworkOutput
from .calibration import softmax
from .evaluate import Subject
from .faithfulness import BLUR, CONTROLS, FILLINGS, TESTS, Estimate, Faithfulness, measure_faithfulness
from .request import EvaluationRequest
from .samples import find_faces

log = logging.getLogger("fer")


@dataclass
class FaithfulnessReport:
    """The faithfulness of a network's maps on a sample of a split, with all that is needed to measure it again."""

    dataset: str
    split: str
    rule: str
    weights: str
    runtime: str
    detector: str
    blur: float  # see BLUR
    faithfulness: Faithfulness

    def to_dict(self) -> dict:
        """All figures, as in faithfulness.json."""
        figures = asdict(self)
        return figures | figures.pop("faithfulness")


def evaluate_faithfulness(subject: Subject, faces: int, seed: int = 0) -> FaithfulnessReport:
    """The deletion and insertion tests of a checkpoint's attention, on a random sample of a split.

    The maps are `all heads` (see `fuse_attention`), each head alone, `mean map` (the mean of `all heads` over the
    sample, the same for each face) and, where the `.safetensors` checkpoint and the package grad-cam are there,
    Grad-CAM. The network sees one crop of each face, the one that the maps are of.

    Args:
        subject: see `load_subject`; `flip` and `duplicates_of` of its request have no effect.
        faces: size of the sample; a smaller split is taken as a whole.
        seed: of the sample, the random maps and the bootstrap.

    Raises:
        ValueError: see `create_detector`.
    """
    request, network, description, samples = subject.request, subject.network, subject.description, subject.samples
    chosen = np.random.default_rng(seed).permutation(len(samples))[:faces]
    crops, detector = _cut(samples.subset(np.sort(chosen)), request, description)

    def run(crops: np.ndarray) -> Iterable[NetworkOutput]:
        return (network(crops[i : i + request.batch_size]) for i in range(0, len(crops), request.batch_size))

    def probe(crops: np.ndarray) -> np.ndarray:
        return softmax(np.concatenate([output.logits for output in run(crops)]) / description.temperature)

    logits, attention = (np.concatenate(part) for part in zip(*((o.logits, o.attention) for o in run(crops))))
    maps = _attention_maps(attention) | _grad_cam(request, crops, logits.argmax(1))
    faithfulness = measure_faithfulness(probe, crops, maps, grid=description.grid, seed=seed)
    return FaithfulnessReport(
        request.dataset,
        request.split,
        samples.rule,
        str(request.weights),
        network.name,
        detector,
        BLUR,
        faithfulness,
    )


def _cut(samples: Samples, request: EvaluationRequest, description: Description) -> tuple[np.ndarray, str]:
    """The prepared crops [N,S,S,1 or 3], and how the faces were found."""
    detector = request.detector if samples.boxes is None else "annotation"
    if detector not in ("none", "annotation"):
        samples, _ = find_faces(samples, create_detector(detector, request.detector_weights))
    dataset = CropDataset(samples, description.preprocessing, np.reshape(description.template, (-1, 2)))
    return np.stack([dataset[0, i][0].numpy() for i in range(len(dataset))]), detector


def _attention_maps(attention: np.ndarray) -> dict[str, np.ndarray]:
    """Attention [N,K,h,w] -> maps [N,h,w] by name."""
    fused = fuse_attention(attention)
    heads = {f"head {k}": attention[:, k - 1] for k in range(1, attention.shape[1] + 1)}
    return {"all heads": fused, **heads, "mean map": np.broadcast_to(fused.mean(0), fused.shape)}


def _grad_cam(request: EvaluationRequest, crops: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    from ..models.checkpoint import load_checkpoint
    from ..models.grad_cam import GradCam

    try:
        model, description = load_checkpoint(find_checkpoint(request.weights))
        cam = GradCam(model, description.preprocessing)
    except (ValueError, ModuleNotFoundError) as error:
        log.warning("faithfulness without Grad-CAM: %s", error)
        return {}
    starts = range(0, len(crops), request.batch_size)
    parts = [cam(crops[i : i + request.batch_size], labels[i : i + request.batch_size]) for i in starts]
    return {"Grad-CAM": np.concatenate(parts)}


def format_faithfulness(report: FaithfulnessReport) -> str:
    """A report as text: for each test and filling a line per map."""
    r, f = report, report.faithfulness
    lines = [f"faithfulness on {r.dataset} {r.split}, rule {r.rule}, {f.n} faces, {f.steps} steps, 95 % intervals"]
    for test in TESTS:
        for filling in FILLINGS:
            good = "small" if test == "deletion" else "large"
            lines.append(
                f"  {f'{test}, {filling}':<18}{f'area ({good} is good)':<24}{'gain over random':<26}gain over blob"
            )
            for name, s in f.scores[test][filling].items():
                gains = (_format(s.gain[c], "+") if c in s.gain else "-" for c in CONTROLS)
                lines.append(f"  {name:<18}{_format(s.auc):<24}{next(gains):<26}{next(gains)}".rstrip())
    return "\n".join([*lines, "  * better than the control: the whole interval of the gain, face by face, is above 0"])


def _format(interval: Estimate, sign: str = "") -> str:
    star = " *" if sign and interval.low > 0 else ""
    return f"{interval.mean:{sign}.3f} [{interval.low:{sign}.3f}, {interval.high:{sign}.3f}]{star}"


def write_faithfulness(out: Path, report: FaithfulnessReport) -> None:
    """Write faithfulness.json and faithfulness.png into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "faithfulness.json").write_text(json.dumps(report.to_dict(), indent=2) + "\n")
    plot_faithfulness(report, out / "faithfulness.png")


def plot_faithfulness(report: FaithfulnessReport, path: Path) -> None:
    """Draw the curves: a panel for each test and filling, a line for each kind of map; controls are gray."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    for axes, (test, filling) in zip(figure.subplots(2, 2).flat, [(t, f) for t in TESTS for f in FILLINGS]):
        for name, s in report.faithfulness.scores[test][filling].items():
            share = np.linspace(0, 100, len(s.curve))
            style = {"color": "0.4", "linestyle": "--" if name == "random" else ":"} if name in CONTROLS else {}
            axes.plot(share, s.curve, label=f"{name} {s.auc.mean:.3f}", **style)
        verb = "removed" if test == "deletion" else "shown"
        axes.set(title=f"{test}, {filling}", xlabel=f"pixels {verb} in %", ylabel="probability of the predicted class")
        axes.set_ylim(0, 1)
        axes.legend(title="area under curve", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    r = report
    figure.suptitle(f"{r.dataset} {r.split} ({r.rule}), {r.faithfulness.n} faces, {r.weights}", parse_math=False)
    figure.savefig(path, dpi=110)
