"""fer check-data, pack, measure-template."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..terminal import progress
from .common import EXIT_OK, EXIT_SOME_FAILED, add_detector_weights, make_folder

if TYPE_CHECKING:
    import numpy as np


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    from ..data import DATASETS

    parser.add_argument("dataset", choices=DATASETS, help="name of the dataset")
    parser.add_argument("data", metavar="DIR", help="folder of the dataset")


def _add_measure_template(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("--rule", default="", help="which images are kept (default: the dataset's)")
    parser.add_argument("--limit", type=int, help="measure this many images, drawn at random")
    add_detector_weights(parser)


def _measure_template(arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..data import load_samples
    from ..faces import create_detector, measure_template

    if arguments.limit is not None and arguments.limit < 1:
        raise ValueError(f"--limit is a number of at least 1, not {arguments.limit}")
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

    template, found = measure_template(images(), detector)
    print(f"template: {np.round(template, 4).ravel().tolist()}")
    print(f"faces found in {found:.1%} of {len(order) - len(unreadable)} images")
    for line in unreadable:
        print(f"not read: {line}")
    return EXIT_SOME_FAILED if unreadable else EXIT_OK


def _add_check_data(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("--out", metavar="DIR", help="folder for report.json and a contact sheet per split and class")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument(
        "--near",
        type=int,
        default=3,
        choices=range(4),
        help="bits in which hashes of near duplicates differ (default: 3)",
    )


def _check_data(arguments: argparse.Namespace) -> int:
    from ..data import find_dataset
    from ..data.doctor import examine
    from ..data.doctor_report import format_examination, write_examination

    dataset = find_dataset(arguments.dataset)
    if arguments.workers < 0:
        raise ValueError(f"--workers is a number of at least 0, not {arguments.workers}")
    if arguments.out:
        make_folder("--out", arguments.out)  # before the work
    with progress(unit="image") as bar:

        def show(split: str, done: int, total: int) -> None:
            if done == 1:
                bar.reset(total)
                bar.set_description(split)
            bar.update()

        found = examine(arguments.dataset, dataset, arguments.data, arguments.workers, arguments.near, show)
    print(format_examination(found, dataset))
    if arguments.out:
        write_examination(found, Path(arguments.out))
        print(f"written: report.json and contact sheets in {arguments.out}")
    return EXIT_SOME_FAILED if found.problems else EXIT_OK


def _add_pack(parser: argparse.ArgumentParser) -> None:
    _add_dataset(parser)
    parser.add_argument("out", metavar="OUT", help="folder for the shards")
    parser.add_argument(
        "--splits", nargs="+", default=["train", "val", "test"], help="splits (default: all that are there)"
    )
    parser.add_argument("--rule", default="", help="which images are kept (default: the dataset's, for each split)")
    parser.add_argument("--format", default="keep", help="keep (files as they are, the default), png, webp or jpeg")
    parser.add_argument(
        "--quality", type=int, default=0, help="of webp and jpeg, 1 to 100; webp without it is lossless"
    )
    parser.add_argument("--size", type=int, default=224, help="pixels to which faces in photos are cut (default: 224)")
    parser.add_argument("--shard-megabytes", type=float, default=256.0, help="size of a shard at most (default: 256)")
    parser.add_argument(
        "--align", action="store_true", help="bring every face that YuNet finds to the recipe's template"
    )
    parser.add_argument("--recipe", help="recipe whose template and crop size --align and photos take")
    add_detector_weights(parser)


def _pack(arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..data import SplitNotFound, load_samples
    from ..data.pack import PackOptions, pack_split
    from ..faces import align_crop, create_detector
    from ..training.config import TrainConfig, load_recipe
    from ..training.template import photo_template

    if arguments.align and not arguments.recipe:
        raise ValueError("--align needs the --recipe whose template the faces are brought to, e.g. --recipe ferplus")
    config = TrainConfig(**(load_recipe(arguments.recipe) if arguments.recipe else {}))
    if arguments.align and not config.template:
        raise ValueError(
            f"--align: recipe {arguments.recipe} has no template; fer measure-template finds one for its dataset"
        )
    template, align = np.reshape(config.template, (-1, 2)), None
    if arguments.align:
        detector, found = create_detector("yunet", arguments.detector_weights), []

        def align(crop: np.ndarray) -> np.ndarray | None:
            aligned = align_crop(crop, detector, template, config.crop_size)
            found.append(aligned is not None)
            return aligned

    options = PackOptions(arguments.format, arguments.quality, arguments.size, arguments.shard_megabytes)
    absent, unreadable = [], 0
    for split in arguments.splits:
        try:
            samples = load_samples(arguments.dataset, arguments.data, split, arguments.rule)
        except SplitNotFound as error:
            absent.append(str(error))
            continue
        with progress(total=len(samples), desc=split, unit="image") as bar:
            cut = np.reshape(photo_template(config.template, samples), (-1, 2))  # as training would cut them
            packed = pack_split(samples, arguments.out, arguments.dataset, split, options, align, cut, bar.update)
        print(f"{split}: {packed.rows} images in {len(packed.shards)} shards")
        for line in packed.unreadable:
            print(f"left out: {line}")
        unreadable += len(packed.unreadable)
    if align:
        print(f"{sum(found)} of {len(found)} aligned; the others, in which no face was found, are as they were")
    if len(absent) == len(arguments.splits):
        raise ValueError(absent[0])
    return EXIT_SOME_FAILED if unreadable else EXIT_OK


COMMANDS = {
    "check-data": (_add_check_data, _check_data, "what is in a copy of a dataset, and what is wrong with it"),
    "pack": (_add_pack, _pack, "any dataset as Parquet shards that the datasets library reads"),
    "measure-template": (_add_measure_template, _measure_template, "where landmarks lie in a dataset's crops"),
}
