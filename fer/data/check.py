"""What is wrong with a copy of a dataset, before a night of training is lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ..io.images import ImageSource, read_image
from .dataset import Dataset
from .datasets.layouts import SPLITS
from .samples import Samples, SplitNotFound, fingerprint

NEAR = 3  # bits of 64 in which the perceptual hashes of near duplicates differ at most


class ImageFacts(NamedTuple):
    """What one image file shows."""

    width: int
    height: int
    gray: bool
    brightness: float  # mean, 0 to 255
    fingerprint: bytes  # empty where the image cannot be read
    hash: int  # perceptual, 64 bits
    problem: str = ""  # missing, empty, not an image, damaged, box outside
    reason: str = ""


FACTS = np.dtype(
    [("width", "i4"), ("height", "i4"), ("gray", "?"), ("brightness", "f4"), ("fingerprint", "S32"), ("hash", "u8")]
)


@dataclass
class DatasetCheck:
    """What a copy of a dataset holds, and what is wrong with it."""

    dataset: str
    splits: dict[str, Samples]  # by the default rules
    everything: dict[str, Samples]  # all images, whatever the rule keeps
    absent: dict[str, str]  # splits that are not there, and why
    facts: dict[str, np.ndarray] = field(default_factory=dict)  # FACTS [N] of each split
    bad: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)  # problem, name, reason
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    figures: dict = field(default_factory=dict)
    near: list[tuple[tuple[str, int], tuple[str, int]]] = field(default_factory=list)  # pairs of (split, index)


def check_dataset(
    name: str,
    dataset: Dataset,
    root: str | Path,
    workers: int = 0,
    near: int = NEAR,
    on_image: Callable[[str, int, int], None] = lambda split, done, total: None,
) -> DatasetCheck:
    """Look at every image of a dataset.

    Args:
        workers: processes, started anew (a script that asks for some needs the usual `__main__` guard); 0 works in this one.
        near: bits in which the 64-bit perceptual hashes of near duplicates may differ; 0 to 3.
        on_image: told (split, images done, images in all).

    Raises:
        ValueError: no layout of the dataset lies in `root`, or its labels cannot be read.
    """
    check = _load(name, dataset, root)
    for split, samples in check.everything.items():
        table, bad = np.zeros(len(samples), FACTS), []
        for i, fact in enumerate(_check_images(samples, workers)):
            table[i] = fact[: len(FACTS.fields or ())]
            if fact.problem:
                bad.append((fact.problem, samples.names[i], fact.reason))
            on_image(split, i + 1, len(samples))
        check.facts[split], check.bad[split] = table, bad
    _check_counts(check, dataset)
    _check_files(check)
    _check_copies(check, dataset, near)
    _measure_images(check)
    return check


def _load(name: str, dataset: Dataset, root: str | Path) -> DatasetCheck:
    check = DatasetCheck(name, {}, {}, {})
    for split in SPLITS:
        try:
            check.splits[split] = dataset.load(root, split, dataset.rule_for(split))
            check.everything[split] = dataset.load(root, split, dataset.every) if dataset.every else check.splits[split]
        except SplitNotFound as error:
            check.absent[split] = str(error)
    if not check.splits:
        raise ValueError(check.absent["train"])
    return check


def _check_images(samples: Samples, workers: int) -> Iterator[ImageFacts]:
    boxes: Any = samples.boxes if samples.boxes is not None else [None] * len(samples)
    tasks = ((samples.images[i], boxes[i]) for i in range(len(samples)))
    if workers == 0:
        yield from map(_check_image, tasks)
        return
    with get_context("spawn").Pool(workers) as pool:  # a fork of a process with threads may hang
        yield from pool.imap(_check_image, tasks, chunksize=32)


def _check_image(task: tuple[ImageSource, np.ndarray | None]) -> ImageFacts:
    from imagehash import phash
    from PIL import Image

    source, box = task
    try:
        image = read_image(source)
    except ValueError as error:
        return ImageFacts(0, 0, False, 0.0, b"", 0, _name_problem(source, str(error)), str(error))
    h, w = image.shape[:2]
    outside = box is not None and not _overlaps(box, w, h)
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    gray = bool((image == image[..., :1]).all())
    bits = phash(Image.fromarray(small)).hash.ravel()
    value = int(np.packbits(bits).view(">u8")[0])
    problem = "box outside" if outside else ""
    reason = f"box {np.asarray(box).round().tolist()} in {w}x{h} pixels" if outside else ""
    return ImageFacts(w, h, gray, float(small.mean()), fingerprint(image, box).encode(), value, problem, reason)


def _name_problem(source: ImageSource, error: str) -> str:
    if isinstance(source, str | os.PathLike) and not Path(source).exists():
        return "missing"
    return next((name for name in ("empty", "not an image") if name in error), "damaged")


def _overlaps(box: np.ndarray, width: int, height: int) -> bool:
    """At least half of the box lies in the image."""
    x1, y1, x2, y2 = box
    inside = max(0.0, min(x2, width) - max(x1, 0)) * max(0.0, min(y2, height) - max(y1, 0))
    return inside >= 0.5 * (x2 - x1) * (y2 - y1) > 0


def _check_counts(check: DatasetCheck, dataset: Dataset) -> None:
    """Images per split and class, against the official release."""
    check.figures["layout"] = {split: s.layout for split, s in check.splits.items()}
    check.figures["counts"] = {
        split: {"rule": s.rule, "images": len(s)} | s.counts() for split, s in check.splits.items()
    }
    for split, samples in check.splits.items():
        if empty := [name for name, n in samples.counts().items() if not n]:
            check.problems.append(f"{split}: no image of {', '.join(empty)}")
        if samples.ignored:
            some = ", ".join(samples.ignored[:3])
            check.remarks.append(f"{split}: {len(samples.ignored)} files among the images are none by name: {some}")
    for splits, numbers in dataset.official.items():
        if all(split in check.splits for split in splits.split("+")):
            n = sum(len(check.splits[split]) for split in splits.split("+"))
            if n not in numbers:
                expected = " or ".join(f"{number:,}" for number in numbers)
                check.problems.append(f"{splits}: {n:,} images; the official release has {expected}")
    check.remarks += [f"{split}: not there" for split in check.absent]


def _check_files(check: DatasetCheck) -> None:
    check.figures["unreadable"] = {}
    for split, bad in check.bad.items():
        check.figures["unreadable"][split] = [f"{name}: {problem} ({reason})" for problem, name, reason in bad]
        for problem, n in sorted(Counter(problem for problem, _, _ in bad).items()):
            first = next(name for p, name, _ in bad if p == problem)
            check.problems.append(f"{split}: {n} {'file' if n == 1 else 'files'} {problem}, e.g. {first}")


def _check_copies(check: DatasetCheck, dataset: Dataset, near: int) -> None:
    """Exact and near duplicates, within splits and across them."""
    figures = check.figures["duplicates"] = {"exact": {}, "redundant": {}, "contradictory": {}, "near": {}}
    prints = {split: facts["fingerprint"] for split, facts in check.facts.items()}
    for split, values in prints.items():
        readable = values[values != b""]
        if redundant := len(readable) - len(np.unique(readable)):
            figures["redundant"][split] = redundant
            check.remarks.append(f"{split}: {redundant:,} redundant copies of images in it")
        if contradictory := _count_contradictory(values, check.everything[split].targets.argmax(1)):
            figures["contradictory"][split] = contradictory
            check.remarks.append(
                f"{split}: {contradictory:,} of the images that occur more than once have several labels"
            )
    for first, second in combinations(prints, 2):
        if n := int((np.isin(prints[second], prints[first]) & (prints[second] != b"")).sum()):
            figures["exact"][f"{second} in {first}"] = n
            text = f"{n:,} images of {second} are identical to one of {first}"
            if dataset.leaks:
                check.remarks.append(f"{text}, as in the official release")
            else:
                check.problems.append(f"{text}: accuracy on {second} is too high where they count")
    _check_near_copies(check, prints, near)


def _count_contradictory(prints: np.ndarray, labels: np.ndarray) -> int:
    """Images whose copies have another label."""
    images, group = np.unique(prints, return_inverse=True)
    low, high = np.full(len(images), 99), np.full(len(images), -1)
    np.minimum.at(low, group, labels)
    np.maximum.at(high, group, labels)
    return int(((low != high) & (images != b"")).sum())


def _check_near_copies(check: DatasetCheck, prints: dict[str, np.ndarray], near: int) -> None:
    splits = list(prints)
    starts = np.cumsum([0, *(len(values) for values in prints.values())])
    everything = np.concatenate(list(prints.values()))
    hashes = np.concatenate([facts["hash"] for facts in check.facts.values()])
    _, kept = np.unique(everything, return_index=True)
    kept = kept[everything[kept] != b""]  # one of each image
    pairs = kept[near_pairs(hashes[kept], near)]  # [M,2]
    owners = np.searchsorted(starts, pairs, "right") - 1  # [M,2]
    places = [[(splits[k], int(i - starts[k])) for k, i in zip(ks, pair)] for ks, pair in zip(owners, pairs)]
    check.near = [(first, second) for first, second in places]
    counts = Counter(" and ".join(sorted({a, b}, key=SPLITS.index)) for (a, _), (b, _) in check.near)
    examples = [[check.everything[split].names[i] for split, i in pair] for pair in check.near[:20]]
    check.figures["duplicates"] |= {"near": dict(counts), "near_examples": examples, "near_bits": near}
    for where, n in counts.items():
        check.remarks.append(f"{where}: {n:,} pairs that look alike (perceptual hashes differ in at most {near} bits)")


_BITS = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


def near_pairs(hashes: np.ndarray, distance: int = NEAR) -> np.ndarray:
    """Pairs of 64-bit hashes [N] that differ in at most `distance` <= 3 bits -> indices [M,2], each pair once.

    Such hashes agree in at least one of their four quarters, so only those are compared that share one.
    """
    assert 0 <= distance <= 3
    pairs = [np.empty((0, 2), int)]
    for quarter in range(4):
        key = (hashes >> np.uint64(16 * quarter)) & np.uint64(0xFFFF)
        order = np.argsort(key, kind="stable")
        key, left, shift = key[order], np.arange(len(order)), 1
        while len(left):
            left = left[left + shift < len(order)]
            left = left[key[left] == key[left + shift]]
            a, b = order[left], order[left + shift]
            bits = _BITS[(hashes[a] ^ hashes[b]).view(np.uint8).reshape(-1, 8)].sum(1)
            pairs.append(np.sort(np.stack([a, b], 1)[bits <= distance], 1))
            shift += 1
    return np.unique(np.concatenate(pairs), axis=0)


def _measure_images(check: DatasetCheck) -> None:
    check.figures["images"] = {}
    for split, facts in check.facts.items():
        if len(seen := facts[facts["width"] > 0]):
            check.figures["images"][split] = {
                "width": [int(v) for v in np.percentile(seen["width"], (0, 50, 100))],
                "height": [int(v) for v in np.percentile(seen["height"], (0, 50, 100))],
                "gray": float(seen["gray"].mean()),
                "brightness": float(seen["brightness"].mean()),
            }


def draw_contact_sheet(samples: Samples, label: str, columns: int = 12, rows: int = 8, side: int = 64) -> np.ndarray:
    """Faces of one class, drawn by chance (always the same) -> RGB uint8 [rows*side, columns*side, 3]."""
    of_class = np.flatnonzero(samples.targets.argmax(1) == samples.classes.index(label))
    drawn = np.random.default_rng(0).permutation(of_class)
    return _draw_sheet(((samples, int(i)) for i in drawn), columns, rows, side)


def draw_near_copies(check: DatasetCheck, columns: int = 12, rows: int = 8, side: int = 64) -> np.ndarray:
    """Pairs that look alike, beside each other, those of two splits first -> RGB uint8 [rows*side, columns*side, 3]."""
    pairs = sorted(check.near, key=lambda pair: pair[0][0] == pair[1][0])
    return _draw_sheet(((check.everything[split], i) for pair in pairs for split, i in pair), columns, rows, side)


def _draw_sheet(faces: Iterable[tuple[Samples, int]], columns: int, rows: int, side: int) -> np.ndarray:
    """The first readable `faces`, as many as there is room for."""
    from PIL import Image, ImageOps

    sheet, place = Image.new("RGB", (columns * side, rows * side), "white"), 0
    for samples, i in faces:
        try:
            face = Image.fromarray(samples.crop(i, np.empty((0, 2)), side))
        except ValueError:
            continue
        sheet.paste(ImageOps.pad(face, (side, side)), (place % columns * side, place // columns * side))
        place += 1
        if place == columns * rows:
            break
    return np.asarray(sheet)
