"""Measure a checkpoint on a labelled split."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..data import Samples, SplitNotFound, duplicates_of, load_samples
from ..data.loader import CropDataset, make_loader
from ..description import Description
from ..faces import Detector, create_detector, is_upright
from ..resources import find_weights
from ..runtimes.networks import load_network
from ..terminal import progress
from .calibration import reliability, selective
from .metrics import Predictions, agreement, predict, summarize, summarize_attention, without_duplicates


@dataclass
class SplitPredictions:
    """What a checkpoint says of one split: logits before its temperature, over the classes of the dataset."""

    asked: dict  # dataset, split, flip, runtime, precision; detector, or "annotation" where photos have annotated faces
    weights: str
    description: Description
    samples: Samples
    predictions: Predictions
    leaked: np.ndarray | None  # images that training has seen [N], see `find_seen`


def predict_split(
    weights: str | Path,
    dataset: str,
    data: str | Path,
    split: str,
    rule: str = "",
    *,
    duplicates_of_dir: str | Path | None = None,
    flip: bool = False,
    detector: str = "none",
    detector_weights: str | Path | None = None,
    device: str = "auto",
    runtime: str = "auto",
    precision: str = "auto",
    batch_size: int = 16,
) -> SplitPredictions:
    """Run a network over one split of a dataset; arguments and errors are those of `evaluate_checkpoint`."""
    network, description = load_network(weights, device, runtime, precision)
    path = find_weights(weights, (".safetensors",) if network.name == "torch" else (".onnx",))
    samples = load_samples(dataset, data, split, rule)
    if unknown := [name for name in samples.classes if name not in description.classes]:
        known = ", ".join(description.classes)
        raise ValueError(
            f"{path} has {len(description.classes)} classes ({known}), without {', '.join(unknown)} of {dataset}"
        )
    rules = description.recipe if description.dataset == dataset else {}
    template = np.reshape(description.template, (-1, 2))
    shown = samples
    if samples.boxes is not None:
        detector = "annotation"
    elif detector != "none":
        found = create_detector(detector, detector_weights)
        shown, detector = find_faces(samples, found), found.name
    crops = [shown]
    if description.second_crop and shown.landmarks is not None:
        upright = is_upright(shown.landmarks)[:, None, None]
        crops.append(replace(shown, landmarks=np.where(upright, np.nan, shown.landmarks)))
    loaders = (make_loader(CropDataset(c, description.preprocessing, template), batch_size) for c in crops)
    seen = [predict(network, loader, flip=flip) for loader in loaders]
    predictions = seen[0]._replace(logits=np.mean([of_crop.logits for of_crop in seen], 0))
    columns = [description.classes.index(name) for name in samples.classes]
    return SplitPredictions(
        {"dataset": dataset, "split": split, "flip": flip, "detector": detector}
        | {"runtime": network.name, "precision": network.precision},
        path.name,
        description,
        samples,
        predictions._replace(logits=predictions.logits[:, columns]),
        find_seen(samples, split, dataset, data, duplicates_of_dir, rules),
    )


def measure(found: SplitPredictions) -> dict:
    """What was asked, and the figures of the split, with the temperature and the threshold of the checkpoint's description."""
    logits, targets, attention = found.predictions
    logits = logits / found.description.temperature
    figures = found.asked | {"weights": found.weights, "rule": found.samples.rule, "layout": found.samples.layout}
    figures |= {"classes": list(found.samples.classes), "temperature": found.description.temperature}
    figures |= summarize(logits, targets, found.samples.classes)
    figures |= selective(logits, targets, found.description.unsure_below) | agreement(logits, targets)
    figures |= {"reliability": reliability(logits, targets)} | summarize_attention(attention)
    if found.leaked is None:
        return figures | {"accuracy_without_duplicates": None, "n_without_duplicates": None}
    return figures | without_duplicates(logits, targets, found.leaked)


def evaluate_checkpoint(
    weights: str | Path, dataset: str, data: str | Path, split: str, rule: str = "", **options
) -> dict:
    """Figures of a network on one split of a dataset.

    The dataset's classes are matched with the checkpoint's by name; where it has fewer, the choice is among those.

    Args:
        weights: the name of shipped weights, a checkpoint, or an ONNX file of `fer export`.
        options: `duplicates_of_dir`: a folder with the train split; images that also occur in it (as the rule of the
            checkpoint's training keeps it), and images of test that occur in validation, are left out of
            `accuracy_without_duplicates`; None looks in `data`.
            `flip`: average the logits with those of the mirrored image. `detector`: none takes the images as the dataset
            gives them; yunet (with `detector_weights`) treats crops as inference treats photos: the largest face
            is found and cut out; photos are cut by their annotation in any case. `device`, `runtime`, `precision`: see
            `load_network`. `batch_size`.

    Returns:
        what `summarize`, `selective`, `agreement`, `summarize_attention` and `reliability` give, dataset, split, rule,
        layout, weights, runtime, precision, flip, detector, classes, temperature, and `accuracy_without_duplicates` with
        `n_without_duplicates` (None where no train split was found, or no image is left).

    Raises:
        ValueError: see `load_samples`, `load_network`, `create_detector`; or a class that the checkpoint does not know.
    """
    return measure(predict_split(weights, dataset, data, split, rule, **options))


def find_faces(samples: Samples, detector: Detector) -> Samples:
    """The same images as photos, with the box and landmarks of the largest face; the whole image where none is found."""
    boxes, landmarks = np.empty((len(samples), 4)), np.full((len(samples), 5, 2), np.nan)
    for i in progress(range(len(samples)), desc=detector.name, unit="image", leave=False):
        image = samples.read(i)
        faces = detector(image)
        boxes[i] = faces[0].box if faces else (0, 0, *image.shape[1::-1])
        if faces and faces[0].landmarks is not None:
            landmarks[i] = faces[0].landmarks
    return replace(samples, boxes=boxes, landmarks=landmarks)


def find_seen(
    samples: Samples, split: str, dataset: str, data: str | Path, folder: str | Path | None, rules: dict
) -> np.ndarray | None:
    """Which of `samples` [N] training has seen: copies of training images, and for the test split of validation images,
    which chose the epoch. None where no train split is found, or this is it.

    Args:
        folder: where the other splits lie; None looks in `data`.
        rules: `train_rule` and `val_rule` of the checkpoint's training.
    """
    if split == "train":
        return None
    try:
        train = load_samples(dataset, folder or data, "train", rules.get("train_rule", ""))
    except SplitNotFound:
        if folder:
            raise
        return None
    seen = duplicates_of(samples, train)
    if split == "test":
        with suppress(SplitNotFound):
            seen |= duplicates_of(samples, load_samples(dataset, folder or data, "val", rules.get("val_rule", "")))
    return seen
