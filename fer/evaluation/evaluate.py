"""Evaluation of a checkpoint on a labelled split."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..data import Samples, load_samples
from ..data.loader import CropDataset, make_loader
from ..description import Description
from ..faces import Detector, create_detector, is_upright
from ..prior import parse_prior
from ..resources import find_weights
from ..runtimes.networks import choose_runtime, load_network
from ..runtimes.types import Network
from .affect import measure_va_intervals, summarize_va
from .calibration import (
    ReliabilityBin,
    SelectiveAccuracy,
    SelectiveCurve,
    reliability,
    selective,
    selective_curve,
    softmax,
)
from .intervals import Interval
from .metrics import (
    AttentionSummary,
    Metrics,
    Predictions,
    VoterAgreement,
    accuracy,
    is_correct,
    measure_intervals,
    predict,
    summarize,
    summarize_attention,
    voter_agreement,
    without_duplicates,
)
from .predictions import NO_PREDICTION, PredictionTable
from .request import EvaluationRequest
from .samples import find_faces, find_seen, find_votes


@dataclass
class Subject:
    """A network and the images on which it is measured."""

    request: EvaluationRequest
    network: Network
    description: Description
    weights: str  # name of the file
    samples: Samples
    detector: Detector | None


@dataclass
class SplitPredictions:
    """The predictions of a network for one split, and the settings that they were made with."""

    request: EvaluationRequest
    weights: str  # name of the file
    runtime: str
    precision: str
    detector: str  # name of the detector, or "annotation" if faces are cropped by their annotation
    description: Description
    samples: Samples
    faces: Samples  # the same images with the faces that were detected; `samples` without a detector
    predictions: Predictions  # logits over the classes of the dataset, for its prior, not divided by the temperature
    leaked: np.ndarray | None  # bool [N]: images that occur in training, see `find_seen`
    found: np.ndarray | None = None  # bool [N]: images in which the detector finds a face
    votes: np.ndarray | None = None  # share of the votes for each class [N,C]

    @property
    def logits(self) -> np.ndarray:
        """Calibrated logits [N,C]: divided by the temperature."""
        return self.predictions.logits / self.description.temperature

    def table(self) -> PredictionTable:
        """The predictions image by image."""
        probs = softmax(self.logits)
        labels, unsure = probs.argmax(1), probs.max(1) < self.description.unsure_below
        if self.request.end_to_end and self.found is not None:
            labels, probs = np.where(self.found, labels, NO_PREDICTION), np.where(self.found[:, None], probs, np.nan)
        samples, va = self.samples, self.predictions.va
        if va is not None and self.request.end_to_end and self.found is not None:
            va = np.where(self.found[:, None], va, np.nan)
        return PredictionTable(
            samples.names,
            self.request.split,
            samples.classes,
            self.predictions.targets,
            labels,
            probs,
            self.leaked,
            self.votes,
            unsure,
            va,
            None if va is None else samples.va,
        )


@dataclass
class EndToEnd:
    """The figures of detector and network together: an image without a detected face counts as wrong."""

    n_without_face: int
    end_to_end_accuracy: float
    accuracy_when_found: float | None  # of the images with a face
    accuracy_as_given: float | None = None  # of the images as the dataset gives them, without the detector


@dataclass
class Evaluation:
    """The metrics of a network on one split, with the settings that are needed to reproduce them."""

    dataset: str
    split: str
    flip: bool
    detector: str
    runtime: str
    precision: str
    weights: str
    rule: str
    layout: str
    classes: list[str]
    temperature: float
    prior: str
    metrics: Metrics
    selective: SelectiveAccuracy
    agreement: VoterAgreement | None  # None if the votes are not known
    end_to_end: EndToEnd | None  # None without a detector
    reliability: list[ReliabilityBin]
    risk_coverage: SelectiveCurve
    attention: AttentionSummary
    accuracy_without_duplicates: float | None  # None if there is no train split, or if all images are duplicates
    n_without_duplicates: int | None
    intervals: dict[str, Interval]  # 95 %, of the figures of these names
    va: dict[str, float]  # see `summarize_va`; empty without valence and arousal

    def to_dict(self) -> dict:
        """All metrics and settings in one flat dict, as in metrics.json."""
        figures = asdict(self)
        parts = [figures.pop(name) for name in ("metrics", "selective", "agreement", "end_to_end", "attention", "va")]
        return figures | {name: value for part in reversed(parts) if part for name, value in part.items()}


def evaluate_checkpoint(request: EvaluationRequest) -> Evaluation:
    """Evaluate a network on one split of a dataset.

    The classes of the dataset are matched with those of the checkpoint by name. The logits of classes that the dataset
    does not have are ignored.

    Raises:
        ValueError: see `load_samples`, `load_network`, `create_detector`; or the checkpoint lacks a class of the
            dataset.
    """
    return evaluate_subject(load_subject(request))[0]


def evaluate_subject(subject: Subject) -> tuple[Evaluation, SplitPredictions]:
    """As `evaluate_checkpoint`, with the predictions."""
    split = predict_subject(subject)
    evaluation = measure(split)
    if subject.request.end_to_end and evaluation.end_to_end:
        given = predict_samples(replace(subject, detector=None), subject.samples).predictions
        evaluation.end_to_end.accuracy_as_given = accuracy(given.logits, given.targets)
    return evaluation, split


def load_subject(request: EvaluationRequest) -> Subject:
    """Load a network and a split. Raises what `evaluate_checkpoint` raises."""
    runtime = choose_runtime(request.weights, request.device, request.runtime)
    path = find_weights(request.weights, (".safetensors",) if runtime == "torch" else (".onnx",))
    network, description = load_network(path, request.device, runtime, request.precision)
    samples = load_samples(request.dataset, request.data, request.split, request.rule)
    _check_classes(path, request.dataset, samples, description)
    name = "yunet" if request.end_to_end and request.detector == "none" else request.detector
    detector = None if name == "none" or samples.boxes is not None else create_detector(name, request.detector_weights)
    return Subject(request, network, description, path.name, samples, detector)


def predict_split(request: EvaluationRequest) -> SplitPredictions:
    """Run a network over one split of a dataset. Raises what `evaluate_checkpoint` raises."""
    return predict_subject(load_subject(request))


def predict_subject(subject: Subject) -> SplitPredictions:
    """Run a network over the split that was loaded with it."""
    request, description, samples = subject.request, subject.description, subject.samples
    split = predict_samples(subject, samples)
    rules = description.recipe if description.dataset == request.dataset else {}
    split.leaked, split.votes = find_seen(samples, request, rules), find_votes(samples, request)
    return split


def predict_samples(subject: Subject, samples: Samples) -> SplitPredictions:
    """Run the network of `subject` over `samples`: those of the subject, or the same images changed."""
    request, network, description = subject.request, subject.network, subject.description
    adjustment = description.temperature * parse_prior(request.prior, description)
    faces, found = samples, None
    if subject.detector:
        faces, found = find_faces(samples, subject.detector)
    predictions = _predict_faces(network, description, faces, request)
    columns = [description.classes.index(name) for name in samples.classes]
    return SplitPredictions(
        request,
        subject.weights,
        network.name,
        network.precision,
        subject.detector.name if subject.detector else "none" if samples.boxes is None else "annotation",
        description,
        samples,
        faces,
        predictions._replace(logits=(predictions.logits + adjustment)[:, columns]),
        None,
        found,
    )


def _check_classes(path: Path, dataset: str, samples: Samples, description: Description) -> None:
    if unknown := [name for name in samples.classes if name not in description.classes]:
        known = ", ".join(description.classes)
        raise ValueError(
            f"{path} has {len(description.classes)} classes ({known}), without {', '.join(unknown)} of {dataset}"
        )


def _predict_faces(
    network: Network, description: Description, faces: Samples, request: EvaluationRequest
) -> Predictions:
    """The means over the crops of each face, and the attention of its first crop, as in inference."""
    template = np.reshape(description.template, (-1, 2))
    crops = [faces]
    if description.second_crop and faces.landmarks is not None:
        upright = is_upright(faces.landmarks)[:, None, None]
        crops.append(replace(faces, landmarks=np.where(upright, np.nan, faces.landmarks)))
    loaders = [make_loader(CropDataset(c, description.preprocessing, template), request.batch_size) for c in crops]
    predictions = [predict(network, loader, flip=request.flip) for loader in loaders]
    logits, va = [p.logits for p in predictions], [p.va for p in predictions if p.va is not None]
    return predictions[0]._replace(logits=np.mean(logits, 0), va=np.mean(va, 0) if va else None)


def measure(split: SplitPredictions) -> Evaluation:
    """Compute the metrics of predictions, with the temperature and the threshold in the checkpoint's description."""
    logits, targets, classes = split.logits, split.predictions.targets, split.samples.classes
    va, va_targets = split.predictions.va, split.samples.va
    return Evaluation(
        split.request.dataset,
        split.request.split,
        split.request.flip,
        split.detector,
        split.runtime,
        split.precision,
        split.weights,
        split.samples.rule,
        split.samples.layout,
        list(classes),
        split.description.temperature,
        split.request.prior,
        summarize(logits, targets, classes),
        selective(logits, targets, split.description.unsure_below),
        None if split.votes is None else voter_agreement(logits, targets, split.votes),
        None if split.found is None else _measure_end_to_end(is_correct(logits, targets), split.found),
        reliability(logits, targets),
        selective_curve(logits, targets),
        summarize_attention(split.predictions.attention),
        **without_duplicates(logits, targets, split.leaked),
        intervals=measure_intervals(logits, targets, split.leaked) | measure_va_intervals(va, va_targets),
        va=summarize_va(va, va_targets),
    )


def _measure_end_to_end(correct: np.ndarray, found: np.ndarray) -> EndToEnd:
    return EndToEnd(
        int((~found).sum()), float((correct & found).mean()), float(correct[found].mean()) if found.any() else None
    )
