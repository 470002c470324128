"""FER+: FER2013 with votes of ten annotators per image (Barsoum et al. 2016, arXiv:1608.01041)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

import numpy as np

from ...io.images import ImageSource
from ...labels import EMOTIONS
from ..dataset import Dataset
from ..samples import Samples
from .fer2013 import COLUMNS, USAGES, read_pixels
from .layouts import Layout, Parts, load_split, read_csv, read_rows

# Columns of the votes, in the order of the official files; the last two are not emotions.
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
_TO_CANONICAL = [VOTES.index(name) for name in EMOTIONS]
_FOLDERS = {"train": "FER2013Train", "val": "FER2013Valid", "test": "FER2013Test"}
_SHARDS = {"train": "train-*.parquet", "val": "val*-*.parquet", "test": "test-*.parquet"}


def majority_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The official `majority` rule: the emotion with more than half of the votes; single votes are ignored.

    Args:
        votes: [N,10] in the order of VOTES.

    Returns:
        one-hot targets [N,8] in canonical order, and a mask [N] of the images that the rule keeps.
    """
    votes = np.where(votes <= 1, 0, votes)
    top = votes.argmax(1)
    keep = (votes.max(1) > 0.5 * votes.sum(1)) & (top < 8)
    return np.eye(len(VOTES))[top][:, _TO_CANONICAL].astype(np.float32), keep


def probability_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The official `probability` rule: the distribution over the (at most three) strongest emotions.

    Classes are selected in descending order of votes, ties together, until they hold three quarters of the
    votes. Single votes are ignored. An image is dropped if `unknown` or `NF` leads, if the selected classes
    hold at most half of the votes, or if there are more than three.

    Args:
        votes: [N,10] in the order of VOTES.

    Returns:
        targets [N,8] in canonical order (the rows of kept images sum to 1), and a mask [N] of the kept images.
    """
    targets = np.zeros((len(votes), 8), np.float32)
    keep = np.zeros(len(votes), bool)
    for i, row in enumerate(np.where(votes <= 1, 0, votes)):
        selected = _select_strongest(row)[_TO_CANONICAL]
        if selected.sum() > 0:
            keep[i] = True
            targets[i] = selected / selected.sum()
    return targets, keep


def _select_strongest(votes: np.ndarray) -> np.ndarray:
    """The votes [10] of the classes that the probability rule selects; all zero if it drops the image."""
    selected = np.zeros(10)
    count, total = 0, votes.sum()
    no_emotion = False
    while selected.sum() < 0.75 * total and count < 3 and not no_emotion:
        top = np.where(selected > 0, 0, votes).max()
        for i in np.flatnonzero((votes == top) & (selected == 0)):
            no_emotion = bool(i >= 8)  # unknown or NF: stop; it counts only if it is first
            if no_emotion and selected.any():
                break
            selected[i] = top
            count += 1
            if no_emotion:
                break
    if selected.sum() <= 0.5 * total or count > 3 or selected.argmax() >= 8:
        return np.zeros(10)
    return selected


def all_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep every image, with its share of votes per emotion (uniform if it has none). See `majority_targets`."""
    emotions = votes[:, _TO_CANONICAL].astype(np.float32)
    emotions[emotions.sum(1) == 0] = 1
    return emotions / emotions.sum(1, keepdims=True), np.ones(len(votes), bool)


RULES = {"majority": majority_targets, "probability": probability_targets, "all": all_targets}


def load_ferplus(root: str | Path, split: str, rule: str = "majority") -> Samples:
    """Load one split of FER+ from the first of these layouts that is found in `root`.

    - Parquet shards `train-*.parquet`, `valid-*.parquet`, `test-*.parquet`: `image` {bytes, path} and ten votes.
    - `label.csv` with PNGs, in `root/FER2013Train` or `root/data/FER2013Train` (`Valid`, `Test`), or in `root`
      if it has that name itself.
    - `fer2013.csv` (or `icml_face_data.csv`) and `fer2013new.csv`, joined by row.

    Args:
        split: train, val or test.
        rule: `majority` (one-hot) or `probability` (vote distribution), as FER+ defines them; or `all`.

    Raises:
        ValueError: unknown rule or split, or no known layout; the message lists what was expected and found.
    """
    if rule not in RULES:
        raise ValueError(f"unknown FER+ rule {rule!r}; choose one of {', '.join(RULES)}")
    return load_split("FER+", root, split, _layouts(rule), draw=False)


class _Votes(NamedTuple):
    images: list[ImageSource]
    votes: np.ndarray  # [N,10], in the order of VOTES
    names: list[str]


def _layouts(rule: str) -> dict[str, Layout]:
    def layout(name: str, looks_for: str, find: Callable[[Path], Readers]) -> tuple[str, Layout]:
        def find_samples(root: Path) -> Parts | None:
            return {split: partial(_to_samples, read, name, rule) for split, read in find(root).items()} or None

        return name, Layout(looks_for, find_samples)

    return dict(
        (
            layout("parquet", f"{_SHARDS['train']} (and of the other splits)", _find_parquet),
            layout(
                "label.csv",
                f"{_FOLDERS['train']}/label.csv (here, under data/, or as the folder itself)",
                _find_folders,
            ),
            layout("csv", "fer2013.csv (or icml_face_data.csv) with fer2013new.csv", _find_csv),
        )
    )


def _to_samples(read: Callable[[], _Votes], layout: str, rule: str) -> Samples:
    images, votes, names = read()
    targets, keep = RULES[rule](votes)
    return Samples(images, targets, names, EMOTIONS, layout, rule).subset(keep)


Readers = dict[str, Callable[[], _Votes]]  # by split: reads its votes


def _find_folders(root: Path) -> Readers:
    readers: Readers = {}
    for split, name in _FOLDERS.items():
        folders = [root / name, root / "data" / name] + ([root] if root.resolve().name == name else [])
        if folder := next((f for f in folders if (f / "label.csv").is_file()), None):
            readers[split] = partial(_read_folder, folder)
    return readers


def _read_folder(folder: Path) -> _Votes:
    names, votes = [], []
    for line, row in read_rows(folder / "label.csv"):
        if len(row) != 12 or not all(vote.strip().isdecimal() for vote in row[2:]):
            text = shorten(", ".join(row), 100)
            raise ValueError(f"{folder / 'label.csv'}, line {line}: expected name, box and ten votes, got {text}")
        names.append(row[0])
        votes.append([int(vote) for vote in row[2:]])
    return _Votes([folder / name for name in names], np.array(votes, int).reshape(-1, 10), names)


def _find_csv(root: Path) -> Readers:
    pixels = next((root / n for n in ("fer2013.csv", "icml_face_data.csv") if (root / n).is_file()), None)
    votes = root / "fer2013new.csv"
    if pixels is None or not votes.is_file():
        return {}
    return {split: partial(_read_csv, pixels, votes, usage) for split, usage in USAGES.items()}


def _read_csv(pixels_file: Path, votes_file: Path, usage: str) -> _Votes:
    pixel_rows = list(read_csv(pixels_file, COLUMNS))
    vote_rows = list(read_csv(votes_file, ("Usage", "Image name", *VOTES)))
    advice = "they are joined row by row: both must be the complete original files in their original order"
    if len(pixel_rows) != len(vote_rows):
        raise ValueError(
            f"{pixels_file.parent}: {pixels_file.name} has {len(pixel_rows)} rows and {votes_file.name} "
            f"{len(vote_rows)}; {advice}"
        )
    result = _Votes([], np.empty((0, 10), int), [])
    votes = []
    for (line, pixel_row), (vote_line, vote_row) in zip(pixel_rows, vote_rows):
        if pixel_row["Usage"] != vote_row["Usage"]:
            raise ValueError(
                f"{pixels_file.parent}, line {line}: {pixel_row['Usage']} in {pixels_file.name} "
                f"and {vote_row['Usage']} in {votes_file.name}; {advice}"
            )
        if vote_row["Usage"] == usage and vote_row["Image name"]:  # rows without a name show no face
            result.images.append(read_pixels(pixel_row["pixels"], pixels_file, line))
            if not all(vote_row[v].strip().isdecimal() for v in VOTES):
                raise ValueError(f"{votes_file}, line {vote_line}: expected whole numbers of votes, got {vote_row}")
            votes.append([int(vote_row[v]) for v in VOTES])
            result.names.append(vote_row["Image name"])
    return result._replace(votes=np.array(votes, int).reshape(-1, 10))


def _find_parquet(root: Path) -> Readers:
    shards = {split: sorted(root.glob(pattern)) for split, pattern in _SHARDS.items()}
    return {split: partial(_read_parquet, paths) for split, paths in shards.items() if paths}


def _read_parquet(shards: list[Path]) -> _Votes:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(shards)
    if missing := [name for name in ("image", *VOTES) if name not in table.column_names]:
        raise ValueError(f"{shards[0]}: no column {', '.join(missing)}; found {', '.join(table.column_names)}")
    images = table["image"].to_pylist()
    if not all(isinstance(image, dict) and image.get("bytes") for image in images):
        raise ValueError(f"{shards[0]}: expected images as structs of bytes and path, each with bytes")
    if not all(pyarrow.types.is_integer(table[v].type) and not table[v].null_count for v in VOTES):
        raise ValueError(f"{shards[0]}: expected whole numbers of votes in each row")
    votes = np.stack([table[v].to_numpy() for v in VOTES], axis=1)
    names = [image.get("path") or str(i) for i, image in enumerate(images)]
    return _Votes([image["bytes"] for image in images], votes, names)


FERPLUS = Dataset(
    load_ferplus,
    {name: name for name in VOTES if name in EMOTIONS},
    rules=tuple(RULES),
    train_rule="probability",
    official={"train": (27_947,), "val": (3_191,), "test": (3_137,)},
    every="all",
    leaks=True,
)
