"""FER+: FER2013 with the votes of ten people per image (Barsoum et al. 2016, arXiv:1608.01041)."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

import numpy as np

from ...labels import EMOTIONS
from ..dataset import Dataset
from ..samples import Samples, SplitNotFound
from .fer2013 import COLUMNS, USAGES, read_csv, read_pixels
from .layouts import SPLITS, list_folder, read_rows

# Columns of the votes, in the order of the official files; the last two are no emotions.
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
_TO_CANONICAL = [VOTES.index(name) for name in EMOTIONS]
_FOLDERS = {"train": "FER2013Train", "val": "FER2013Valid", "test": "FER2013Test"}
_SHARDS = {"train": "train-*.parquet", "val": "val*-*.parquet", "test": "test-*.parquet"}


def majority_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The official `majority` rule: the emotion that holds more than half of the votes, single votes ignored.

    Args:
        votes: [N,10] in the order of VOTES.

    Returns:
        one-hot targets [N,8] in canonical order, and which images the rule keeps [N].
    """
    votes = np.where(votes <= 1, 0, votes)
    top = votes.argmax(1)
    keep = (votes.max(1) > 0.5 * votes.sum(1)) & (top < 8)
    return np.eye(len(VOTES))[top][:, _TO_CANONICAL].astype(np.float32), keep


def probability_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The official `probability` rule: the distribution over the (at most three) strongest emotions.

    Classes are taken from the strongest down, equal ones together, until they hold three quarters of the votes (single
    votes ignored). The image is dropped where unknown or NF leads, or where what was taken holds no more than half of
    the votes or is more than three classes.

    Args:
        votes: [N,10] in the order of VOTES.

    Returns:
        targets [N,8] in canonical order, rows summing to 1 where kept, and which images the rule keeps [N].
    """
    targets = np.zeros((len(votes), 8), np.float32)
    keep = np.zeros(len(votes), bool)
    for i, row in enumerate(np.where(votes <= 1, 0, votes)):
        taken = _strongest(row)[_TO_CANONICAL]
        if taken.sum() > 0:
            keep[i] = True
            targets[i] = taken / taken.sum()
    return targets, keep


def _strongest(votes: np.ndarray) -> np.ndarray:
    """The votes [10] that the probability rule takes; all zero where it drops the image."""
    taken = np.zeros(10)
    count, total = 0, votes.sum()
    no_emotion = False
    while taken.sum() < 0.75 * total and count < 3 and not no_emotion:
        top = np.where(taken > 0, 0, votes).max()
        for i in np.flatnonzero((votes == top) & (taken == 0)):
            no_emotion = i >= 8  # unknown or NF: end here, and count it only if nothing came before
            if no_emotion and taken.any():
                break
            taken[i] = top
            count += 1
            if no_emotion:
                break
    if taken.sum() <= 0.5 * total or count > 3 or taken.argmax() >= 8:
        return np.zeros(10)
    return taken


def all_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every image, with the share of its votes for each emotion; equal shares where it has none. As `majority_targets`."""
    emotions = votes[:, _TO_CANONICAL].astype(np.float32)
    emotions[emotions.sum(1) == 0] = 1
    return emotions / emotions.sum(1, keepdims=True), np.ones(len(votes), bool)


RULES = {"majority": majority_targets, "probability": probability_targets, "all": all_targets}


def load_ferplus(root: str | Path, split: str, rule: str = "majority") -> Samples:
    """Load one split of FER+ from whichever of its layouts lies in `root`.

    - `label.csv` beside PNGs, in `root/FER2013Train` or `root/data/FER2013Train` (`Valid`, `Test`), or in `root`
      where it is itself called so;
    - `fer2013.csv` (or `icml_face_data.csv`) and `fer2013new.csv`, joined by row;
    - Parquet shards `train-*.parquet`, `valid-*.parquet`, `test-*.parquet`: `image` {bytes, path} and the ten votes.

    Args:
        split: train, val or test.
        rule: majority (one-hot) or probability (vote distribution), as FER+ defines them; or all images.

    Raises:
        ValueError: unknown rule or split, or no known layout; the message lists what was looked for and found.
    """
    if rule not in RULES:
        raise ValueError(f"unknown FER+ rule {rule!r}; choose one of {', '.join(RULES)}")
    layout, (images, votes, names) = _find_split(Path(root), split)
    targets, keep = RULES[rule](votes)
    return Samples(images, targets, names, EMOTIONS, layout, rule).subset(keep)


def _find_split(root: Path, split: str) -> tuple[str, tuple]:
    """The layout that was found, and (images, votes, names)."""
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; --data must name the folder that holds FER+")
    for layout, load in _LAYOUTS.items():
        if found := load(root, split):
            return layout, found
    raise SplitNotFound(_describe_missing(root, split))


def _describe_missing(root: Path, split: str) -> str:
    return (
        f"{root}: no FER+ {split} split. Looked for {_SHARDS[split]}; {_FOLDERS[split]}/label.csv (here, under data/, or "
        f"as the folder itself); fer2013.csv (or icml_face_data.csv) with fer2013new.csv. "
        f"Found: {list_folder(root)}. See the README on how to lay out FER+."
    )


def _load_folder(root: Path, split: str):
    name = _FOLDERS[split]
    folders = [root / name, root / "data" / name] + ([root] if root.resolve().name == name else [])
    folder = next((f for f in folders if (f / "label.csv").is_file()), None)
    if folder is None:
        return None
    names, votes = [], []
    for line, row in read_rows(folder / "label.csv"):
        if len(row) != 12 or not all(vote.strip().isdecimal() for vote in row[2:]):
            got = shorten(", ".join(row), 100)
            raise ValueError(f"{folder / 'label.csv'}, line {line}: expected name, box and ten votes, got {got}")
        names.append(row[0])
        votes.append([int(vote) for vote in row[2:]])
    return [folder / name for name in names], np.array(votes, int).reshape(-1, 10), names


def _load_csv(root: Path, split: str):
    names = ("fer2013.csv", "icml_face_data.csv")
    pixels_file = next((root / name for name in names if (root / name).is_file()), None)
    votes_file = root / "fer2013new.csv"
    if not (pixels_file and votes_file.is_file()):
        return None
    images, votes, names = [], [], []
    pixel_rows = list(read_csv(pixels_file, COLUMNS))
    vote_rows = list(read_csv(votes_file, ("Usage", "Image name", *VOTES)))
    if len(pixel_rows) != len(vote_rows):
        raise ValueError(
            f"{root}: {pixels_file.name} has {len(pixel_rows)} rows and fer2013new.csv {len(vote_rows)}; they are joined row "
            "by row and must be the complete, unsorted originals"
        )
    for (line, pixel_row), (vote_line, vote_row) in zip(pixel_rows, vote_rows):
        if pixel_row["Usage"] != vote_row["Usage"]:
            raise ValueError(
                f"{root}, line {line}: {pixel_row['Usage']} in {pixels_file.name} and {vote_row['Usage']} in fer2013new.csv; "
                "they are joined row by row and must be the complete, unsorted originals"
            )
        if vote_row["Usage"] == USAGES[split] and vote_row["Image name"]:  # no name: not a face
            images.append(read_pixels(pixel_row["pixels"], pixels_file, line))
            if not all(vote_row[v].strip().isdecimal() for v in VOTES):
                raise ValueError(f"{votes_file}, line {vote_line}: expected whole numbers of votes, got {vote_row}")
            votes.append([int(vote_row[v]) for v in VOTES])
            names.append(vote_row["Image name"])
    return images, np.array(votes, int).reshape(-1, 10), names


def _load_parquet(root: Path, split: str):
    shards = sorted(root.glob(_SHARDS[split]))
    if not shards:
        return None
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
    return [image["bytes"] for image in images], votes, [image.get("path") or str(i) for i, image in enumerate(images)]


_LAYOUTS = {"parquet": _load_parquet, "label.csv": _load_folder, "csv": _load_csv}

FERPLUS = Dataset(
    load_ferplus,
    {name: name for name in VOTES if name in EMOTIONS},
    rules=tuple(RULES),
    train_rule="probability",
    official={"train": (27_947,), "val": (3_191,), "test": (3_137,)},
    every="all",
    leaks=True,
)
