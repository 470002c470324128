"""Predictions as a table, from which figures, comparisons and error analysis start; other programs can read it."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..io.atomic import write_atomically
from ..io.columns import IMAGE_COLUMNS, match_images, read_columns
from ..labels import VA, class_of

NO_PREDICTION = -1


@dataclass(frozen=True, eq=False)
class PredictionTable:
    """The ground truth of N images over C classes, and what was predicted for them.

    Args:
        names: of the images, each once.
        split: train, val or test.
        classes: names of the C classes.
        targets: probability vectors [N,C], see `Samples`.
        labels: index of the predicted class [N]; NO_PREDICTION where no face was found.
        probs: calibrated probabilities [N,C], NaN without a prediction; None where only labels are known.
        seen: whether training has seen the image [N]; None where that is not known.
        votes: share of the votes for each class [N,C], where people voted; it may say more than `targets`.
        unsure: whether the prediction was called unsure [N]; None where that is not known.
        va: predicted valence and arousal [N,2]; None where there is none.
        va_targets: true valence and arousal [N,2], NaN where they are unknown; None where all are.
    """

    names: Sequence[str]
    split: str
    classes: tuple[str, ...]
    targets: np.ndarray
    labels: np.ndarray
    probs: np.ndarray | None = None
    seen: np.ndarray | None = None
    votes: np.ndarray | None = None
    unsure: np.ndarray | None = None
    va: np.ndarray | None = None
    va_targets: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def truth(self) -> np.ndarray:
        """Index of the true class [N]: that of the largest target."""
        return self.targets.argmax(1)

    @property
    def correct(self) -> np.ndarray:
        """Whether the prediction is right [N]; no prediction is not."""
        return self.labels == self.truth

    @property
    def logits(self) -> np.ndarray | None:
        """The logarithms of the probabilities [N,C]; None if these are not known for each image."""
        if self.probs is None or np.isnan(self.probs).any():
            return None
        with np.errstate(divide="ignore"):
            return np.log(self.probs)

    def subset(self, rows: np.ndarray) -> PredictionTable:
        """The images at `rows` (integers, or a boolean mask)."""
        positions = np.arange(len(self))[rows]
        arrays = ("targets", "labels", "probs", "seen", "votes", "unsure", "va", "va_targets")
        parts = {name: value[positions] for name in arrays if (value := getattr(self, name)) is not None}
        return replace(self, names=[self.names[i] for i in positions], **parts)

    def columns(self) -> dict[str, list]:
        """The table by column; None where a value is missing.

        `image`, `split`, `target`, `label`, `confidence`, `correct`, `unsure` and `duplicate`
        (training has seen the image); then for each class its probability under its name,
        `target_<class>`, and `votes_<class>` where people voted; `valence`, `arousal` where they are predicted, and
        `target_valence`, `target_arousal` where they are known.
        """
        predicted = self.labels != NO_PREDICTION
        names = np.array([*self.classes, None], object)  # the last for NO_PREDICTION
        table: dict[str, list] = {
            "image": list(self.names),
            "split": [self.split] * len(self),
            "target": names[self.truth].tolist(),
            "label": names[self.labels].tolist(),
            "confidence": _round(self.probs.max(1) if self.probs is not None else np.full(len(self), np.nan)),
            "correct": self.correct.tolist(),
        }
        for name, values in (("unsure", self.unsure), ("duplicate", self.seen)):
            table[name] = [None] * len(self) if values is None else values.tolist()
        table["unsure"] = [value if ok else None for value, ok in zip(table["unsure"], predicted)]
        for prefix, array in (("", self.probs), ("target_", self.targets), ("votes_", self.votes)):
            if array is not None:
                table |= {f"{prefix}{name}": _round(array[:, c]) for c, name in enumerate(self.classes)}
        for prefix, array in (("", self.va), ("target_", self.va_targets)):
            if array is not None:
                table |= {f"{prefix}{name}": _round(array[:, k]) for k, name in enumerate(VA)}
        return table


def _round(values: np.ndarray) -> list[float | None]:
    return [None if v != v else round(v, 6) for v in values.astype(float).tolist()]


def write_predictions_csv(table: PredictionTable, path: str | os.PathLike) -> None:
    """Write a CSV file; columns as in `PredictionTable.columns`."""
    _write_csv(table.columns(), path)


def _write_csv(columns: dict[str, list], path: str | os.PathLike) -> None:
    def write(temporary: Path) -> None:
        with open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values()))

    write_atomically(path, write)


def write_predictions(table: PredictionTable, folder: str | os.PathLike) -> None:
    """Write `predictions.csv` and `predictions.parquet` into a folder; columns as in `PredictionTable.columns`."""
    import pyarrow
    import pyarrow.parquet

    columns = table.columns()
    texts = {"image", "split", "target", "label"}
    bools = {"correct", "unsure", "duplicate"}
    kinds = dict.fromkeys(texts, pyarrow.string()) | dict.fromkeys(bools, pyarrow.bool_())
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in columns])
    readable = {**columns, "image": [name.encode("utf-8", "replace").decode() for name in columns["image"]]}
    arrow = pyarrow.table(readable, schema=schema)
    _write_csv(columns, Path(folder, "predictions.csv"))
    write_atomically(Path(folder, "predictions.parquet"), lambda path: pyarrow.parquet.write_table(arrow, path))


def read_predictions(path: str | os.PathLike, reference: PredictionTable) -> PredictionTable:
    """Predictions of another program, or of an earlier evaluation, for the images of `reference`.

    The file is CSV or Parquet with a column that names the image (one of IMAGE_COLUMNS) and a
    column `label`; a label may be any known name of the class. Where there is a column for each
    class, it holds probabilities. Rows of `fer predict` are such a file too: the first face of an
    image counts. An image is found by its name or by the end of its path.

    Returns:
        the table of all images of `reference`; those without a row have no prediction.

    Raises:
        ValueError: no such columns, a label that is no class, probabilities that are none, or no image in common.
    """
    rows = _read_rows(path)
    key = next((name for name in IMAGE_COLUMNS if name in rows), "")
    if not key or "label" not in rows:
        raise ValueError(
            f"{path}: expected a column label and one of {', '.join(IMAGE_COLUMNS)}; the columns are {', '.join(rows)}"
        )
    positions = match_images(rows[key], reference.names)
    if not positions:
        example = rows[key][0] if rows[key] else "no row"
        raise ValueError(
            f"{path}: none of its images is in the split; it has {example}, the split {reference.names[0]}"
        )
    classes = reference.classes
    labels = np.full(len(reference), NO_PREDICTION)
    has_probs = all(name in rows for name in classes)
    probs = np.full((len(reference), len(classes)), np.nan)
    for i, row in positions.items():
        if rows["label"][row] in (None, ""):
            continue
        label = class_of(str(rows["label"][row]))
        if label not in classes:
            raise ValueError(f"{path}, row {row + 1}: {label!r} is not one of the classes {', '.join(classes)}")
        labels[i] = classes.index(label)
        if has_probs:
            probs[i] = [_to_number(path, row, name, rows[name][row]) for name in classes]
    return replace(reference, labels=labels, probs=probs if has_probs else None, unsure=None, va=None)


def _to_number(path: str | os.PathLike, row: int, name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"{path}, row {row + 1}: {name} is {value!r}; expected a probability of 0 to 1")
    return number


def _read_rows(path: str | os.PathLike) -> dict[str, list]:
    """The columns of a CSV or Parquet file."""
    if Path(path).suffix.lower() == ".parquet":
        import pyarrow
        import pyarrow.parquet

        try:
            return pyarrow.parquet.read_table(path).to_pydict()
        except (OSError, pyarrow.ArrowException) as error:
            raise ValueError(f"{path}: cannot be read as Parquet ({error})") from None
    return read_columns(path, errors="surrogateescape")
