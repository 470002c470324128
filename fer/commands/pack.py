"""fer pack."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..terminal import progress
from .common import EXIT_OK, EXIT_SOME_FAILED, add_dataset, add_detector_weights

if TYPE_CHECKING:
    import numpy as np

HELP = "pack a dataset as Parquet shards for the datasets library"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_dataset(parser)
    parser.add_argument("out", metavar="OUT", help="folder for the shards")
    parser.add_argument(
        "--splits", nargs="+", default=["train", "val", "test"], help="splits to pack (default: all that exist)"
    )
    parser.add_argument(
        "--rule", default="", help="rule for kept images and targets (default: the dataset's rule of each split)"
    )
    parser.add_argument("--format", default="keep", help="keep (the original files, the default), png, webp or jpeg")
    parser.add_argument(
        "--quality", type=int, default=0, help="1 to 100; required for jpeg; without it webp is lossless"
    )
    parser.add_argument(
        "--size", type=int, default=224, help="side of the crops cut out of photos, in pixels (default: 224)"
    )
    parser.add_argument("--shard-megabytes", type=float, default=256.0, help="maximum size of a shard (default: 256)")
    parser.add_argument(
        "--align", action="store_true", help="align every face that YuNet finds to the recipe's template"
    )
    parser.add_argument(
        "--align-share", type=float, default=1.0, help="share of the images to align, drawn at random (default: 1)"
    )
    parser.add_argument("--recipe", help="recipe with the template and crop size for --align and for photos")
    add_detector_weights(parser)


def run(arguments: argparse.Namespace) -> int:
    import numpy as np

    from ..data import SplitNotFound, load_samples
    from ..data.pack import PackOptions, pack_split
    from ..faces import align_crop, create_detector
    from ..training.config import TrainConfig, load_recipe
    from ..training.template import photo_template

    if arguments.align and not arguments.recipe:
        raise ValueError("--align needs the --recipe to whose template the faces are aligned, e.g. --recipe ferplus")
    share = arguments.align_share
    if not 0 < share <= 1:
        raise ValueError(f"--align-share takes a share above 0, up to 1, not {share}")
    if share < 1 and not arguments.align:
        raise ValueError("--align-share is for use together with --align; add --align and its --recipe")
    config = TrainConfig(**(load_recipe(arguments.recipe) if arguments.recipe else {}))
    if arguments.align and not config.template:
        raise ValueError(
            f"--align: recipe {arguments.recipe} has no template; fer measure-template measures one for its dataset"
        )
    template = np.reshape(config.template, (-1, 2))
    align: Callable[[np.ndarray], np.ndarray | None] | None = None
    aligned_faces: list[bool] = []
    if arguments.align:
        detector = create_detector("yunet", arguments.detector_weights)

        def align_face(crop: np.ndarray) -> np.ndarray | None:
            aligned = align_crop(crop, detector, template, config.crop_size)
            aligned_faces.append(aligned is not None)
            return aligned

        align = align_face

    options = PackOptions(arguments.format, arguments.quality, arguments.size, arguments.shard_megabytes)
    absent, unreadable = [], 0
    for split in arguments.splits:
        try:
            samples = load_samples(arguments.dataset, arguments.data, split, arguments.rule)
        except SplitNotFound as error:
            absent.append(str(error))
            continue
        with progress(total=len(samples), desc=split, unit="image") as bar:
            cut = np.reshape(photo_template(config.template, samples), (-1, 2))  # as training cuts them
            packed = pack_split(
                samples, arguments.out, arguments.dataset, split, options, align, cut, bar.update, share
            )
        print(f"{split}: {packed.rows} images in {len(packed.shards)} shards")
        for line in packed.unreadable:
            print(f"left out: {line}")
        unreadable += len(packed.unreadable)
    if align:
        kind = "images" if share == 1 else "drawn images"
        print(f"{sum(aligned_faces)} of {len(aligned_faces)} {kind} aligned; the others show no face and are unchanged")
    if len(absent) == len(arguments.splits):
        raise ValueError(absent[0])
    return EXIT_SOME_FAILED if unreadable else EXIT_OK
