"""Evaluation of a checkpoint on a labelled split."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from ..data import Samples, SplitNotFound, duplicates_of, load_samples
from ..data.loader import CropDataset, make_loader
from ..description import Description
from ..faces import Detector, create_detector, is_upright
from ..resources import find_weights
from ..runtimes.networks import Network, load_network
from ..terminal import progress
from .calibration import ReliabilityBin, SelectiveAccuracy, reliability, selective
from .metrics import (
    AttentionSummary,
    Metrics,
    Predictions,
    VoterAgreement,
    predict,
    summarize,
    summarize_attention,
    voter_agreement,
    without_duplicates,
)


@dataclass(frozen=True)
class EvaluationRequest:
    """The network to evaluate, the images, and the options.

    Args:
        weights: the name of shipped weights, a checkpoint, or an ONNX file of `fer export`.
        dataset, data, split, rule: the images, see `load_samples`.
        duplicates_of: folder of the dataset that has the train split; None: `data`. Images that also occur in training,
            and test images that occur in validation, are left out of `accuracy_without_duplicates`. Training and
            validation images are selected by the rules of the checkpoint's training.
        flip: average the logits with those of the mirrored image.
        detector: "none" takes the crops of the dataset as they are. "yunet" (with `detector_weights`) detects the
            largest face in each crop and crops it anew, as inference does with photos. Datasets of photos are always
            cropped by their annotation.
        device, runtime, precision: see `load_network`.
        batch_size: images in one pass of the network.
    """

    weights: str | Path
    dataset: str
    data: str | Path
    split: str = "test"
    rule: str = ""
    duplicates_of: str | Path | None = None
    flip: bool = False
    detector: str = "none"
    detector_weights: str | Path | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    batch_size: int = 16


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
    predictions: Predictions  # logits over the classes of the dataset, not yet divided by the temperature
    leaked: np.ndarray | None  # bool [N]: images that occur in training, see `find_seen`


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
    metrics: Metrics
    selective: SelectiveAccuracy
    agreement: VoterAgreement | None  # None for one-hot targets
    reliability: list[ReliabilityBin]
    attention: AttentionSummary
    accuracy_without_duplicates: float | None  # None if there is no train split, or if all images are duplicates
    n_without_duplicates: int | None

    def to_dict(self) -> dict:
        """All metrics and settings in one flat dict, as in metrics.json."""
        figures = asdict(self)
        parts = [figures.pop(name) for name in ("metrics", "selective", "agreement", "attention")]
        return figures | {name: value for part in parts if part for name, value in part.items()}


def evaluate_checkpoint(request: EvaluationRequest) -> Evaluation:
    """Evaluate a network on one split of a dataset.

    The classes of the dataset are matched with those of the checkpoint by name. If the dataset has fewer classes, only
    these are compared.

    Raises:
        ValueError: see `load_samples`, `load_network`, `create_detector`; or the checkpoint lacks a class of the
            dataset.
    """
    return measure(predict_split(request))


def predict_split(request: EvaluationRequest) -> SplitPredictions:
    """Run a network on one split of a dataset.

    Raises:
        ValueError: see `evaluate_checkpoint`.
    """
    network, description = load_network(request.weights, request.device, request.runtime, request.precision)
    path = find_weights(request.weights, (".safetensors",) if network.name == "torch" else (".onnx",))
    samples = load_samples(request.dataset, request.data, request.split, request.rule)
    _check_classes(path, request.dataset, samples, description)
    detector = request.detector
    faces = samples
    if samples.boxes is not None:
        detector = "annotation"
    elif detector != "none":
        face_detector = create_detector(detector, request.detector_weights)
        faces, detector = find_faces(samples, face_detector), face_detector.name
    predictions = _predict_faces(network, description, faces, request)
    columns = [description.classes.index(name) for name in samples.classes]
    return SplitPredictions(
        request,
        path.name,
        network.name,
        network.precision,
        detector,
        description,
        samples,
        predictions._replace(logits=predictions.logits[:, columns]),
        find_seen(samples, request, description.recipe if description.dataset == request.dataset else {}),
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
    """The mean logits over the crops of each face, and the attention of its first crop, as in inference."""
    template = np.reshape(description.template, (-1, 2))
    crops = [faces]
    if description.second_crop and faces.landmarks is not None:
        upright = is_upright(faces.landmarks)[:, None, None]
        crops.append(replace(faces, landmarks=np.where(upright, np.nan, faces.landmarks)))
    loaders = [make_loader(CropDataset(c, description.preprocessing, template), request.batch_size) for c in crops]
    predictions = [predict(network, loader, flip=request.flip) for loader in loaders]
    return predictions[0]._replace(logits=np.mean([p.logits for p in predictions], 0))


def measure(split: SplitPredictions) -> Evaluation:
    """Compute the metrics of predictions, with the temperature and the threshold in the checkpoint's description."""
    logits, targets, attention = split.predictions
    logits = logits / split.description.temperature
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
        list(split.samples.classes),
        split.description.temperature,
        summarize(logits, targets, split.samples.classes),
        selective(logits, targets, split.description.unsure_below),
        voter_agreement(logits, targets),
        reliability(logits, targets),
        summarize_attention(attention),
        **without_duplicates(logits, targets, split.leaked),
    )


def find_faces(samples: Samples, detector: Detector) -> Samples:
    """Detect the largest face of each image; returns the samples with its box and landmarks, as if they were photos.

    An image without a face gets a box around the whole image, and no landmarks (NaN).
    """
    boxes, landmarks = np.empty((len(samples), 4)), np.full((len(samples), 5, 2), np.nan)
    for i in progress(range(len(samples)), desc=detector.name, unit="image", leave=False):
        image = samples.read(i)
        faces = detector(image)
        boxes[i] = faces[0].box if faces else (0, 0, *image.shape[1::-1])
        if faces and faces[0].landmarks is not None:
            landmarks[i] = faces[0].landmarks
    return replace(samples, boxes=boxes, landmarks=landmarks)


def find_seen(samples: Samples, request: EvaluationRequest, rules: dict) -> np.ndarray | None:
    """Find the images that were used in training: bool [N].

    These are copies of training images and, in the test split, also copies of validation images, because validation
    chose the epoch.

    Args:
        rules: `train_rule` and `val_rule` of the checkpoint's training.

    Returns:
        None for the train split itself, or if there is no train split.

    Raises:
        ValueError: the folder `request.duplicates_of` has no train split.
    """
    if request.split == "train":
        return None
    folder = request.duplicates_of or request.data
    try:
        train = load_samples(request.dataset, folder, "train", rules.get("train_rule", ""))
    except SplitNotFound:
        if request.duplicates_of:
            raise
        return None
    leaked = duplicates_of(samples, train)
    if request.split == "test":
        with suppress(SplitNotFound):
            leaked |= duplicates_of(samples, load_samples(request.dataset, folder, "val", rules.get("val_rule", "")))
    return leaked
