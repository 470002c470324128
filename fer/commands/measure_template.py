"""fer measure-template."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..terminal import progress
from .common import EXIT_OK, EXIT_SOME_FAILED, add_dataset, add_detector_weights

if TYPE_CHECKING:
    import numpy as np

HELP = "measure where the landmarks lie in a dataset's crops"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument("--rule", default="", help="which images are kept (default: the dataset's)")
    parser.add_argument("--limit", type=int, help="measure this many images, drawn at random")
    add_detector_weights(parser)


def run(arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..data import load_samples
    from ..faces import create_detector, measure_template

    if arguments.limit is not None and arguments.limit < 1:
        raise ValueError(f"--limit must be at least 1, not {arguments.limit}")
    samples = load_samples(arguments.dataset, arguments.data, "train", arguments.rule)
    order = np.random.default_rng(0).permutation(len(samples))[: arguments.limit]
    detector = create_detector("yunet", arguments.detector_weights)
    unreadable = []

    def images() -> Iterator[np.ndarray]:
        for i in progress(order, unit="image"):
            try:
                yield samples.read(i)
            except ValueError as error:
                unreadable.append(str(error))

    template, found_share = measure_template(images(), detector)
    print(f"template: {np.round(template, 4).ravel().tolist()}")
    print(f"faces found in {found_share:.1%} of {len(order) - len(unreadable)} images")
    for line in unreadable:
        print(f"not read: {line}")
    return EXIT_SOME_FAILED if unreadable else EXIT_OK
