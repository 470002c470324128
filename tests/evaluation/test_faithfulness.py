"""The deletion and insertion tests, on networks whose right answer is known."""

import numpy as np
import pytest

from fer.evaluation.faithfulness import CONTROLS, curves_of, fill, make_controls, measure_faithfulness, score

rng = np.random.default_rng(0)


def left_half(crops: np.ndarray) -> np.ndarray:
    """A network that looks at the left half only: the share of white pixels in it is the probability of class 0."""
    p = (crops[:, :, : crops.shape[2] // 2] == 255).mean((1, 2, 3))
    return np.stack([p, 1 - p], 1)


WHITE = np.full((32, 32, 1), 255, np.uint8)
LEFT = np.repeat([[9.0, 7.0, 0.2, 0.1]], 4, axis=0)  # larger on the left
MAPS = {"left": LEFT, "right": LEFT[:, ::-1], "negative": LEFT - 100}


def test_the_areas_of_a_network_that_looks_left():
    """With the left half changed first, the probability moves at once, and then no more: 1/4 and 3/4 of the square."""
    curves = curves_of(left_half, WHITE, np.zeros_like(WHITE), [LEFT, LEFT[:, ::-1], LEFT - 100], steps=8)
    falls = [1, 0.75, 0.5, 0.25, 0, 0, 0, 0, 0]
    late = [1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    np.testing.assert_allclose(curves[0], [falls, late, falls], atol=1e-9)  # deletion; only the order of a map counts
    np.testing.assert_allclose(curves[1], 1 - curves[0], atol=1e-9)  # insertion
    scores = score(np.array([[curves] * 2] * 3), ["left", "random", "blob"])
    for test, area in (("deletion", 0.25), ("insertion", 0.75)):
        left = scores[test]["blur"]["left"]
        assert (left.auc.mean, left.auc.low, left.auc.high) == pytest.approx((area, area, area))
        assert (left.gain["random"].mean, left.gain["blob"].mean) == pytest.approx((0.5, 0))  # both ways better is > 0


def test_maps_that_tell_the_truth_beat_the_controls_and_false_ones_do_not():
    def network(crops):  # sure of class 0 where the left half has contrast
        p = np.clip(crops[:, :, :16].astype(float).std((1, 2, 3)) / 60, 0, 1)
        return np.stack([p, 1 - p], 1)

    crops = rng.integers(0, 255, (12, 32, 32, 1), np.uint8)
    found = measure_faithfulness(network, crops, {n: np.repeat(m[None], 12, 0) for n, m in MAPS.items()}, steps=4)
    assert found.n == 12
    for test in ("deletion", "insertion"):
        for filling in ("blur", "gray"):
            scores = found.scores[test][filling]
            assert list(scores) == [*MAPS, *CONTROLS]
            for control in CONTROLS:
                assert scores["left"].gain[control].low > 0 > scores["right"].gain[control].high
            assert scores["left"] == scores["negative"]
            assert scores["left"].auc.low <= scores["left"].auc.mean <= scores["left"].auc.high


def test_the_same_seed_gives_the_same_figures():
    crops, maps = rng.integers(0, 255, (4, 16, 16, 3), np.uint8), {"x": rng.random((4, 7, 7))}
    runs = [measure_faithfulness(left_half, crops, maps, steps=3, seed=s) for s in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_the_bootstrap_interval_is_that_of_the_mean():
    """Against the normal approximation, over faces whose curves are flat at a random height."""
    heights = rng.random(400)
    curves = np.broadcast_to(heights[:, None, None, None, None], (400, 2, 2, 2, 3))
    auc = score(curves, ["random", "blob"])["deletion"]["gray"]["blob"].auc
    half = 1.96 * heights.std() / 20
    assert auc.mean == pytest.approx(heights.mean())
    assert (auc.low, auc.high) == pytest.approx((heights.mean() - half, heights.mean() + half), abs=0.2 * half)


def test_fillings_keep_the_mean_and_lose_the_contrast():
    for channels in (1, 3):
        crop = rng.integers(0, 255, (48, 48, channels), np.uint8)
        for filling in ("blur", "gray"):
            filled = fill(crop, filling)
            assert filled.shape == crop.shape and filled.dtype == np.uint8
            assert np.abs(filled.mean((0, 1)) - crop.mean((0, 1))).max() < 3 and filled.std((0, 1)).max() < 10


def test_controls():
    controls = make_controls(2, (7, 7))
    blob = controls["blob"][0]
    assert np.unravel_index(blob.argmax(), blob.shape) == (3, 3)
    np.testing.assert_allclose(blob, blob[::-1, ::-1])
    assert (controls["random"][0] != controls["random"][1]).all()


@pytest.mark.parametrize(
    ("n", "maps", "steps", "message"),
    [
        (0, {}, 8, "at least 1 face and 2 steps, got 0 and 8"),
        (2, {}, 1, "got 2 and 1"),
        (2, {"x": np.ones((3, 7, 7))}, 8, r"for each of 2 faces.*\['x'\]"),
        (2, {"blob": np.ones((2, 7, 7))}, 8, r"names other than.*\['blob'\]"),
    ],
)
def test_mistakes(n, maps, steps, message):
    with pytest.raises(ValueError, match=message):
        measure_faithfulness(left_half, np.zeros((n, 16, 16, 1), np.uint8), maps, steps=steps)
