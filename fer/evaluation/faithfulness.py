"""Whether maps show what a network relies on: the deletion and insertion tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..results.explanation import spread
from ..terminal import progress
from .intervals import bootstrap

Probe = Callable[[np.ndarray], np.ndarray]  # prepared crops, uint8 [M,S,S,1 or 3] -> probabilities [M,C]

TESTS = ("deletion", "insertion")
FILLINGS = ("blur", "gray")  # what stands where pixels are removed
CONTROLS = ("random", "blob")  # maps that know nothing of the face
STEPS = 8
BLUR = 0.1  # standard deviation of the Gaussian blur, as a share of the crop's side


@dataclass
class Estimate:
    """A mean over faces, with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


@dataclass
class MethodScore:
    """How one kind of map does in one test."""

    auc: Estimate  # area under `curve`
    gain: dict[str, Estimate]  # over each control, face by face; above 0 the map is better than the control
    curve: list[float]  # mean probability of the predicted class, where 0 to 100 % of the pixels are changed


@dataclass
class Faithfulness:
    """The deletion and insertion tests of several kinds of maps on the same faces."""

    n: int
    steps: int
    seed: int
    scores: dict[str, dict[str, dict[str, MethodScore]]]  # by test, filling and kind of map


def measure_faithfulness(
    probe: Probe,
    crops: np.ndarray,
    maps: dict[str, np.ndarray],
    *,
    grid: Sequence[float] = (),
    steps: int = STEPS,
    seed: int = 0,
) -> Faithfulness:
    """The deletion and insertion tests (Petsiuk et al. 2018, arXiv:1806.07421) of maps over faces.

    Deletion removes the pixels of a crop in the order of the map, largest first, and follows the probability of the
    class that the network predicts for the whole crop. A faithful map makes it fall early: a small area under the
    curve. Insertion begins without any pixel and puts them back in the same order: a large area is good. Removed
    pixels are replaced by a blurred copy of the crop (`blur`), or by its mean (`gray`).

    The CONTROLS are added to the maps: `random`, a smooth random map of the same resolution for each face, and `blob`,
    a Gaussian in the centre of the crop, the same for all.

    Args:
        probe: the network, with its softmax.
        crops: prepared crops, uint8 [N,S,S,1 or 3].
        maps: by name, [N,h,w] each.
        grid: places of their cells, see `fer.description.Description`; the controls divide the crop evenly.
        steps: equal parts in which the pixels are changed.

    Raises:
        ValueError: no crop, fewer than 2 steps, or maps of another number of faces.
    """
    if not len(crops) or steps < 2:
        raise ValueError(f"expected at least 1 face and 2 steps, got {len(crops)} and {steps}")
    if wrong := [name for name, m in maps.items() if len(m) != len(crops) or name in CONTROLS]:
        raise ValueError(f"expected a map for each of {len(crops)} faces, and names other than {CONTROLS}: {wrong}")
    shape = next(iter(maps.values())).shape[1:] if maps else (7, 7)
    controls = make_controls(len(crops), shape, seed)
    faces = zip(crops, zip(*maps.values()), zip(*controls.values()))
    curves = []  # [N,fillings,tests,maps,steps+1]
    for crop, of_face, of_controls in progress(faces, total=len(crops), desc="faithfulness", unit="face", leave=False):
        side = len(crop)
        spreads = [*(spread(m, side, grid) for m in of_face), *(spread(m, side) for m in of_controls)]
        curves.append([curves_of(probe, crop, fill(crop, filling), spreads, steps) for filling in FILLINGS])
    return Faithfulness(len(crops), steps, seed, score(np.stack(curves), [*maps, *controls], seed))


def make_controls(n: int, shape: tuple[int, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """The control maps of n faces, by name, [n,h,w] each."""
    h, w = shape
    y, x = ((np.arange(side) + 0.5) / side - 0.5 for side in (h, w))
    blob = np.exp(-(y[:, None] ** 2 + x**2) / (2 * 0.25**2))
    return {
        "random": np.random.default_rng(seed).normal(size=(n, h, w)),
        "blob": np.broadcast_to(blob, (n, h, w)),
    }


def fill(crop: np.ndarray, filling: str) -> np.ndarray:
    """The crop [S,S,C] without its content: blurred, or its mean everywhere."""
    if filling == "gray":
        return np.broadcast_to(crop.mean((0, 1)).round().astype(np.uint8), crop.shape)
    return cv2.GaussianBlur(crop, (0, 0), BLUR * len(crop)).reshape(crop.shape)


def curves_of(
    probe: Probe, crop: np.ndarray, filled: np.ndarray, maps: list[np.ndarray], steps: int = STEPS
) -> np.ndarray:
    """The curves of one face: probability of its class, [tests, maps, steps + 1]."""
    whole, empty = probe(np.stack([crop, filled]))
    label = whole.argmax()
    inner = probe(np.stack(list(_change(crop, filled, maps, steps))))[:, label]
    curves = np.empty((len(TESTS), len(maps), steps + 1))
    curves[..., 1:-1] = inner.reshape(len(maps), steps - 1, len(TESTS)).transpose(2, 0, 1)
    curves[0, :, 0] = curves[1, :, -1] = whole[label]
    curves[1, :, 0] = curves[0, :, -1] = empty[label]
    return curves


def _change(crop: np.ndarray, filled: np.ndarray, maps: list[np.ndarray], steps: int) -> Iterator[np.ndarray]:
    """For each map and inner step: the crop after deletion, and the empty crop after insertion."""
    side = len(crop)
    for weights in maps:
        order = np.argsort(-spread(weights, side), axis=None, kind="stable")
        rank = np.empty(side * side, int)
        rank[order] = np.arange(side * side)
        for step in range(1, steps):
            changed = (rank * steps < step * side * side).reshape(side, side, 1)
            yield np.where(changed, filled, crop)
            yield np.where(changed, crop, filled)


def score(curves: np.ndarray, names: list[str], seed: int = 0) -> dict[str, dict[str, dict[str, MethodScore]]]:
    """The scores of curves [N,fillings,tests,maps,steps+1], by test, filling and name of the map."""
    areas = (curves[..., :-1] + curves[..., 1:]).mean(-1) / 2  # trapezoids; [N,fillings,tests,maps]
    values = {}  # of each face [N]
    for t, test in enumerate(TESTS):
        sign = -1 if test == "deletion" else 1  # where a small area is good
        for f, filling in enumerate(FILLINGS):
            area = dict(zip(names, areas[:, f, t].T))
            for name in names:
                values[test, filling, name, "auc"] = area[name]
                values |= {(test, filling, name, c): sign * (area[name] - area[c]) for c in CONTROLS if c != name}
    means = {key: float(v.mean()) for key, v in values.items()}
    intervals = bootstrap(lambda faces: {key: v[faces].mean() for key, v in values.items()}, len(areas), seed=seed)
    estimates = {key: Estimate(means[key], intervals[key].low, intervals[key].high) for key in values}
    return {
        test: {
            filling: {
                name: MethodScore(
                    estimates[test, filling, name, "auc"],
                    {c: estimates[test, filling, name, c] for c in CONTROLS if c != name},
                    curves[:, f, t, m].mean(0).round(4).tolist(),
                )
                for m, name in enumerate(names)
            }
            for f, filling in enumerate(FILLINGS)
        }
        for t, test in enumerate(TESTS)
    }
