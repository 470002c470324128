"""Where the landmarks lie in a dataset's crops, for inference to put them at the same place."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from ..data import Samples
from ..distributed import rank
from ..faces import DetectorUnavailable, create_detector, measure_template
from .config import TrainConfig

log = logging.getLogger("fer")
MEASURED = 2000  # crops, drawn at random: the median does not move with more


def measure_missing_template(config: TrainConfig, samples: Samples) -> TrainConfig:
    """The configuration with the template of the training crops, where it has none and the dataset comes as crops.

    Without a detector that gives landmarks, the template stays empty, and inference cuts faces by their box.
    """
    if config.template or samples.boxes is not None:
        return config
    try:
        detector = create_detector("yunet", config.detector_weights or None)
    except DetectorUnavailable as error:
        log.warning("the template is not measured: %s; inference will cut faces by their box", error)
        return config
    order = np.random.default_rng(0).permutation(len(samples))[:MEASURED]
    bar = tqdm(order, desc="template", unit="crop", dynamic_ncols=True, disable=rank() > 0)
    try:
        template, found = measure_template((samples.read(i) for i in bar), detector)
    except ValueError as error:
        log.warning("%s; inference will cut faces by their box", error)
        return config
    log.info("template measured: faces found in %.1f %% of %d crops", 100 * found, len(order))
    return replace(config, template=template.round(4).ravel().tolist())
