"""Where the landmarks lie in a dataset's crops, for inference to put them at the same place."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from ..data import Samples
from ..distributed import rank
from ..faces import create_detector, measure_template
from ..terminal import progress
from .config import TrainConfig

log = logging.getLogger("fer")
MEASURED = 2000  # crops, drawn at random: the median does not move with more
# Where photos are cut by annotated landmarks, we choose: a loose crop, as those of FER+ are.
LOOSE = (0.3138, 0.3918, 0.6862, 0.3918, 0.5, 0.6058, 0.351, 0.763, 0.649, 0.763)


def photo_template(template: list[float], samples: Samples) -> list[float]:
    """By which faces are cut out of photos: the recipe's template, or ours where their landmarks are annotated."""
    annotated = samples.boxes is not None and samples.landmarks is not None
    return template or (list(LOOSE) if annotated else [])


def measure_missing_template(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The configuration with a template, where it has none: that of the dataset's crops, or ours for its photos.

    It stays empty where photos have no landmarks, or crops no detector that gives some: then inference, too, cuts faces
    by their box.
    """
    if config.template or samples.boxes is not None:
        return replace(config, template=photo_template(config.template, samples))
    detector = create_detector("yunet", config.detector_weights or None)
    order = np.random.default_rng(0).permutation(len(samples))[:MEASURED]
    bar = progress(order, desc="template", unit="crop", disable=rank() > 0)
    try:
        template, found = measure_template(_readable(samples, bar), detector)
    except ValueError as error:
        log.warning("%s; inference will cut faces by their box", error)
        return config
    log.info("template measured: faces found in %.1f %% of %d crops", 100 * found, len(order))
    return replace(config, template=template.round(4).ravel().tolist())


def _readable(samples: Samples, indices: Iterable[int]) -> Iterator[np.ndarray]:
    for i in indices:
        with suppress(ValueError):  # training will say which, if it comes to it
            yield samples.read(i)
