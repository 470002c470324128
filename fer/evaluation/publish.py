"""From the checkpoint of a run to a file that is shipped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from ..models.checkpoint import load_checkpoint, save_checkpoint
from .calibration import cross_fitted_error, expected_calibration_error, fit_temperature, unsure_threshold
from .evaluate import measure, predict_split


def publish_checkpoint(
    weights: str | Path,
    out: str | Path,
    data: str | Path,
    licence: str,
    dataset: str = "",
    *,
    second_crop: bool = False,
    detector_weights: str | Path | None = None,
    device: str = "auto",
    batch_size: int = 16,
) -> dict:
    """Calibrate a checkpoint on validation and store it in half precision, with its figures and a licence in its metadata.

    The temperature, and the confidence under which a prediction is unsure (an even chance, or as much more as it takes for
    90 % of the others to be right), are fitted on the validation images that are not in training.

    Args:
        weights: a checkpoint of a run.
        out: the `.safetensors` file to write.
        data: the folder of the dataset.
        licence: under which terms the weights may be used.
        dataset: its name; default: that which the checkpoint was trained on, which may be a copy of it (`parquet`).
        second_crop: inference shall take the mean with a second crop, the square around the box; in a dataset of crops the
            faces are then found by YuNet (with `detector_weights`), as inference finds them.

    Returns:
        the figures of `evaluate_checkpoint` on the validation split, of the stored weights, and `calibration`: errors before
        and after (cross-fitted); read them again by `read_description`.

    Raises:
        ValueError: see `load_checkpoint`, `load_samples`, `create_detector`; or a weight is too large for float16.
    """
    if Path(out).suffix != ".safetensors":
        raise ValueError(f"--out {out}: expected a name that ends with .safetensors")
    if Path(out).is_dir():
        raise ValueError(f"--out {out}: is a folder; expected the name of a file")
    Path(out).parent.mkdir(parents=True, exist_ok=True)  # before the work, which is lost where this fails
    model, description = load_checkpoint(weights)
    description.dataset = dataset or description.dataset
    description.second_crop = second_crop
    rule = description.recipe.get("val_rule", "")
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / Path(out).name
        save_checkpoint(stored, model, description, half=True)
        found = predict_split(
            stored,
            description.dataset,
            data,
            "val",
            rule,
            detector="yunet" if second_crop else "none",
            detector_weights=detector_weights,
            device=device,
            batch_size=batch_size,
        )
    clean = np.ones(len(found.samples), bool) if found.leaked is None or found.leaked.all() else ~found.leaked
    logits, targets = found.predictions.logits[clean], found.predictions.targets[clean]
    description.temperature = fit_temperature(logits, targets)
    description.unsure_below = unsure_threshold(logits / description.temperature, targets)
    description.licence = licence
    description.recipe = without_places(description.recipe)
    found.description = description
    description.metrics = {
        **measure(found),
        "epoch": description.metrics.get("epoch"),
        "calibration": {
            "n": int(clean.sum()),
            "error_before": expected_calibration_error(logits, targets),
            "error_cross_fitted": cross_fitted_error(logits, targets),
        },
    }
    save_checkpoint(out, model, description, half=True)
    return description.metrics


def without_places(recipe: dict) -> dict:
    """A training configuration without the folders of the machine it ran on; other checkpoints keep folder and name."""
    recipe = {name: value for name, value in recipe.items() if name not in ("data", "out")}
    for name in ("init_weights", "backbone_weights", "teachers", "mean_of"):
        if isinstance(recipe.get(name), list):
            recipe[name] = [_shorten(path) for path in recipe[name]]
        elif recipe.get(name):
            recipe[name] = _shorten(recipe[name])
    return recipe


def _shorten(path: object) -> str:
    return "/".join(Path(str(path)).parts[-2:])
