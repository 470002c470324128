"""The template: the positions of the landmarks in training crops, to which inference aligns faces."""

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
MEASURED = 2000  # crops, drawn at random; more of them do not change the median
# Our template for photos with annotated landmarks: a loose crop, like the crops of FER+.
LOOSE = (0.3138, 0.3918, 0.6862, 0.3918, 0.5, 0.6058, 0.351, 0.763, 0.649, 0.763)


def photo_template(template: list[float], samples: Samples) -> list[float]:
    """The template for cropping photos: that of the recipe, else LOOSE if the landmarks are annotated, else empty."""
    annotated = samples.boxes is not None and samples.landmarks is not None
    return template or (list(LOOSE) if annotated else [])


def measure_missing_template(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The configuration with a template: its own, else the one measured on the dataset's crops, or LOOSE for photos.

    The template stays empty if photos have no landmarks, or if the detector finds no face in the crops. Then training
    and inference crop faces by their box.
    """
    if config.template or samples.boxes is not None:
        return replace(config, template=photo_template(config.template, samples))
    detector = create_detector("yunet", config.detector_weights or None)
    order = np.random.default_rng(0).permutation(len(samples))[:MEASURED]
    bar = progress(order, desc="template", unit="crop", disable=rank() > 0)
    try:
        template, found_share = measure_template(_read_crops(samples, bar), detector)
    except ValueError as error:
        log.warning("%s; inference will crop faces by their box", error)
        return config
    log.info("template measured: faces found in %.1f %% of %d crops", 100 * found_share, len(order))
    return replace(config, template=template.round(4).ravel().tolist())


def _read_crops(samples: Samples, indices: Iterable[int]) -> Iterator[np.ndarray]:
    for i in indices:
        with suppress(ValueError):  # unreadable; training reports the image when it reads it
            yield samples.read(i)
