"""fer measure-template, align-crops."""

from __future__ import annotations

import argparse
from pathlib import Path

from .common import EXIT_OK


def _add_measure_template(parser: argparse.ArgumentParser) -> None:
    from ..data import DATASETS

    parser.add_argument("dataset", choices=DATASETS, help="name of the dataset")
    parser.add_argument("data", metavar="DIR", help="folder of the dataset")
    parser.add_argument("--rule", default="majority", help="which images are kept (default: majority)")
    parser.add_argument("--limit", type=int, help="measure this many images, drawn at random")
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")


def _measure_template(arguments: argparse.Namespace) -> int:
    import numpy as np
    from tqdm import tqdm

    from ..data import load_samples
    from ..faces import create_detector, measure_template

    samples = load_samples(arguments.dataset, arguments.data, "train", arguments.rule)
    order = np.random.default_rng(0).permutation(len(samples))[: arguments.limit]
    detector = create_detector("yunet", arguments.detector_weights)
    template, found = measure_template((samples.read(i) for i in tqdm(order, unit="image")), detector)
    print(f"template: {np.round(template, 4).ravel().tolist()}")
    print(f"faces found in {found:.1%} of {len(order)} images")
    return EXIT_OK


def _add_align_crops(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DIR", help="folder of FER+")
    parser.add_argument("out", metavar="OUT", help="folder to write the aligned copy into, as Parquet shards")
    parser.add_argument("--recipe", default="ferplus", help="recipe whose template the faces are brought to")
    parser.add_argument("--splits", nargs="+", default=["train", "val"], help="splits to copy (default: train val)")
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")


def _align_crops(arguments: argparse.Namespace) -> int:
    import numpy as np
    from tqdm import tqdm

    from ..data.ferplus import read_split, write_shard
    from ..faces import align_crop, create_detector
    from ..images import read_image
    from ..training.config import TrainConfig, load_recipe

    config = TrainConfig(**load_recipe(arguments.recipe))
    template = np.reshape(config.template, (5, 2))
    detector = create_detector("yunet", arguments.detector_weights)
    for split in arguments.splits:
        images, votes, names = read_split(arguments.data, split)
        aligned, found = [], 0
        for image in tqdm(images, desc=split, unit="image"):
            crop = read_image(image)
            turned = align_crop(crop, detector, template, config.crop_size)
            found += turned is not None
            aligned.append(crop if turned is None else turned)
        write_shard(Path(arguments.out), split, aligned, votes, names)
        print(f"{split}: {found} of {len(images)} aligned; the others, in which no face was found, are as they were")
    return EXIT_OK


COMMANDS = {
    "measure-template": (_add_measure_template, _measure_template, "where landmarks lie in a dataset's crops"),
    "align-crops": (_add_align_crops, _align_crops, "a copy of FER+ with every face brought to the recipe's template"),
}
