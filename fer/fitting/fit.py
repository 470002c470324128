"""Fit a classifier of one's own classes to a folder of photos, and measure it."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..evaluation.calibration import fit_temperature, softmax, unsure_threshold
from ..evaluation.intervals import Interval, bootstrap
from ..evaluation.metrics import Metrics, is_correct, measure_intervals, summarize
from ..evaluation.predictions import PredictionTable
from ..inference.recognizer import EmotionRecognizer
from .checkpoint import find_base, write_fitted
from .classifier import cross_validate, fit_classifier
from .faces import LabelledFaces, find_labelled_faces


@dataclass(frozen=True)
class Finetuned:
    """How fine-tuning of the whole network compares with the fitted classifier, by the same cross-validation."""

    accuracy_fitted: float
    accuracy_finetuned: float
    interval: Interval  # of the difference

    @property
    def kept(self) -> bool:
        """Only a network that is better is worth it."""
        return self.accuracy_finetuned > self.accuracy_fitted


@dataclass(frozen=True, eq=False)
class Fit:
    """What was fitted, and how good it is by cross-validation over the same photos."""

    faces: LabelledFaces
    table: PredictionTable  # of each face by a classifier that was fitted without it
    metrics: Metrics
    intervals: dict[str, Interval]
    accuracy_as_it_is: float | None  # of the network as it is, among the classes of the folder; None: it has others
    persons_known: bool
    finetuned: Finetuned | None = None  # None: it was not tried

    @property
    def disagreements(self) -> list[int]:
        """The faces whose prediction is another class than that of their folder, the most confident first."""
        table = self.table
        assert table.probs is not None
        wrong = np.flatnonzero(~table.correct)
        return [int(i) for i in wrong[np.argsort(-table.probs[wrong].max(1), kind="stable")]]


def fit_photos(
    recognizer: EmotionRecognizer,
    weights: str | os.PathLike,
    photos: str | Path,
    out: str | os.PathLike,
    person: str = "",
    finetune: bool = False,
) -> Fit:
    """Fit a linear classifier to the embeddings of the faces in a folder, and write it as a checkpoint.

    Temperature and threshold of unsure predictions are fitted to the cross-validated predictions.

    Args:
        recognizer: with the network of `weights`.
        weights: see `find_base`.
        photos: a folder with a subfolder for each class, with whole photos or crops.
        out: the `.safetensors` file to write; an ONNX file is written beside it.
        person: see `find_labelled_faces`.
        finetune: go on with the whole network (needs PyTorch), and keep it if cross-validation finds it better.

    Raises:
        ValueError: see `find_base`, `find_labelled_faces`, `cross_validate`; `out` does not end with .safetensors; or a
            class has too few faces.
    """
    if Path(out).suffix != ".safetensors":
        raise ValueError(f"--out {out}: expected a name that ends with .safetensors")
    base = find_base(weights)
    faces = find_labelled_faces(recognizer, photos, person)
    _check_numbers(faces, photos)
    logits = cross_validate(faces.embeddings, faces.labels, faces.groups)
    targets = faces.samples.targets
    tuning, finetuned = None, None
    if finetune:
        from .finetune import Finetuning

        tuning = Finetuning(base, recognizer.description, faces)
        tuned = tuning.cross_validate()
        finetuned = _compare(logits, tuned, targets)
        logits = tuned if finetuned.kept else logits
    temperature = fit_temperature(logits, targets)
    logits /= temperature
    threshold = unsure_threshold(logits, targets)
    fit = replace(_measure(faces, logits, targets, threshold, recognizer.classes, bool(person)), finetuned=finetuned)
    is_tuned = finetuned is not None and finetuned.kept
    protocol = {"dataset": "folder", "split": "all, cross-validated", "rule": "label"}
    intervals = {name: asdict(interval) for name, interval in fit.intervals.items()}
    description = replace(
        recognizer.description,
        classes=faces.classes,
        temperature=temperature,
        unsure_below=threshold,
        class_shares=dict(zip(faces.classes, targets.mean(0).tolist())),
        prior="trained",
        dataset="folder",
        recipe={"fit": {"weights": Path(weights).stem, "faces": len(faces.names), "finetuned": is_tuned}},
        metrics=protocol | asdict(fit.metrics) | {"intervals": intervals},
    )
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    if tuning and is_tuned:
        tuning.write(description, Path(out))
    else:
        write_fitted(base, fit_classifier(faces.embeddings, faces.labels, faces.groups), description, out)
    return fit


def _compare(fitted: np.ndarray, tuned: np.ndarray, targets: np.ndarray) -> Finetuned:
    """Compare logits [N,C] of both, with the paired bootstrap interval of the difference."""
    first, second = is_correct(fitted, targets), is_correct(tuned, targets)
    gain = second.astype(float) - first
    interval = bootstrap(lambda rows: {"gain": float(gain[rows].mean())}, len(gain))["gain"]
    return Finetuned(float(first.mean()), float(second.mean()), interval)


def _check_numbers(faces: LabelledFaces, photos: str | Path) -> None:
    """Each class needs faces of two groups, so that one can be tested by the other."""
    if len(faces.classes) < 2:
        raise ValueError(f"{photos}: one class, {faces.classes[0]!r}; a classifier needs at least two folders")
    for index, name in enumerate(faces.classes):
        n, groups = (faces.labels == index).sum(), len(np.unique(faces.groups[faces.labels == index]))
        if groups < 2:
            what = f"{n} photos with a face, all of one person" if n > 1 else f"{n} photos with a face"
            raise ValueError(
                f"{photos}: {name} has {what}; at least 2 are needed, 20 or more give figures that tell something"
            )


def _measure(
    faces: LabelledFaces,
    logits: np.ndarray,
    targets: np.ndarray,
    threshold: float,
    known: tuple[str, ...],
    persons_known: bool,
) -> Fit:
    probs = softmax(logits)
    as_it_is = None
    if set(faces.classes) <= set(known):
        among = faces.probs[:, [known.index(name) for name in faces.classes]]
        as_it_is = float((among.argmax(1) == faces.labels).mean())
    unsure = probs.max(1) < threshold
    return Fit(
        faces,
        PredictionTable(faces.names, "all", faces.classes, targets, probs.argmax(1), probs, unsure=unsure),
        summarize(logits, targets, faces.classes),
        measure_intervals(logits, targets),
        as_it_is,
        persons_known,
    )


def format_fit(fit: Fit, shown: int = 10) -> str:
    """The figures as text."""
    faces, interval = fit.faces, fit.intervals["accuracy"]
    lines = [
        f"{len(faces.names)} faces; {len(faces.without_face)} photos without a face, "
        f"{len(faces.unreadable)} could not be read",
        f"  accuracy           {fit.metrics.accuracy:7.2%}  ({interval.low:.1%} to {interval.high:.1%}; by "
        f"cross-validation{' over persons' if fit.persons_known else ''})",
    ]
    if fit.accuracy_as_it_is is not None:
        lines.append(f"  network as it is   {fit.accuracy_as_it_is:7.2%}  (among these classes)")
    if tuned := fit.finetuned:
        low, high = 100 * tuned.interval.low, 100 * tuned.interval.high
        lines.append(
            f"  fine-tuned         {tuned.accuracy_finetuned:7.2%}  (classifier alone {tuned.accuracy_fitted:.2%}; "
            f"difference {low:+.1f} to {high:+.1f} points): {'kept' if tuned.kept else 'not better, so not kept'}"
        )
    if not fit.persons_known:
        lines.append("  who is in the photos is unknown: for new people the accuracy may be lower (see --person)")
    width = max(12, *(len(name) + 2 for name in faces.classes))
    lines.append(f"  {'class':<{width}}{'faces':>7}{'recall':>9}  predicted as")
    for i, name in enumerate(faces.classes):
        row, of_class = np.array(fit.metrics.confusion_matrix[i]), fit.metrics.per_class[name]
        others = ", ".join(f"{faces.classes[j]} {row[j]}" for j in np.argsort(-row, kind="stable") if row[j])
        lines.append(f"  {name:<{width}}{of_class.n:>7}{of_class.recall:>9.1%}  {others}")
    if fit.disagreements:
        probs = fit.table.probs
        assert probs is not None
        lines.append("photos that disagree with their folder, the most confident first:")
        for i in fit.disagreements[:shown]:
            lines.append(f"  {faces.names[i]}  {faces.classes[fit.table.labels[i]]} {probs[i].max():.0%}")
        if len(fit.disagreements) > shown:
            lines.append(f"  and {len(fit.disagreements) - shown} more")
    return "\n".join(lines)
