"""What is known about the images of a split besides their labels: faces, votes, copies of training images."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import numpy as np

from ..data import DATASETS, Samples, SplitNotFound, duplicates_of, load_samples
from ..faces import Detector
from ..terminal import progress
from .request import EvaluationRequest


def find_faces(samples: Samples, detector: Detector) -> tuple[Samples, np.ndarray]:
    """Treat the images as photos: detect the largest face of each.

    Returns:
        the samples with the box and the landmarks of the face, or the whole image if there is none; and whether there
        is one [N].
    """
    boxes, landmarks = np.empty((len(samples), 4)), np.full((len(samples), 5, 2), np.nan)
    found = np.zeros(len(samples), bool)
    for i in progress(range(len(samples)), desc=detector.name, unit="image", leave=False):
        image = samples.read(i)
        faces = detector(image)
        found[i] = bool(faces)
        boxes[i] = faces[0].box if faces else (0, 0, *image.shape[1::-1])
        if faces and faces[0].landmarks is not None:
            landmarks[i] = faces[0].landmarks
    return replace(samples, boxes=boxes, landmarks=landmarks), found


def find_votes(samples: Samples, request: EvaluationRequest) -> np.ndarray | None:
    """The share of the votes for each class [N,C], if people voted: the targets of the rule that keeps all images."""
    rule = DATASETS[request.dataset].every
    if not rule:
        return None if (samples.targets.max(1) == 1).all() else samples.targets
    voted = samples if samples.rule == rule else load_samples(request.dataset, request.data, request.split, rule)
    positions = {name: i for i, name in enumerate(voted.names)}
    return voted.targets[[positions[name] for name in samples.names]]


def find_seen(samples: Samples, request: EvaluationRequest, rules: dict) -> np.ndarray | None:
    """Find the images that were used in training: bool [N].

    These are copies of training images and, in the test split, also copies of validation images, because validation
    chose the epoch.

    Args:
        rules: `train_rule`, `val_rule` and `merge_val` of the checkpoint's training.

    Returns:
        None for the train split itself, if there is no train split, or if it would be drawn from the same images.

    Raises:
        ValueError: the folder `request.duplicates_of` has no train split.
    """
    if request.split == "train" or request.split == "all" and not request.duplicates_of:
        return None
    folder = request.duplicates_of or request.data
    try:
        train = load_samples(request.dataset, folder, "train", rules.get("train_rule", ""))
    except SplitNotFound:
        if request.duplicates_of:
            raise
        return None
    leaked = duplicates_of(samples, train)
    if request.split == "val" and rules.get("merge_val"):
        leaked[:] = True
    if request.split == "test":
        with suppress(SplitNotFound):
            leaked |= duplicates_of(samples, load_samples(request.dataset, folder, "val", rules.get("val_rule", "")))
    return leaked
