"""From the checkpoint of a run to a file that is shipped."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..models.checkpoint import load_checkpoint, save_checkpoint
from .calibration import cross_fitted_error, expected_calibration_error, fit_temperature, unsure_threshold
from .evaluate import Evaluation, EvaluationRequest, SplitPredictions, measure, predict_split


def publish_checkpoint(
    request: EvaluationRequest, out: str | Path, licence: str, second_crop: bool = False
) -> Evaluation:
    """Calibrate a checkpoint on validation, and store it in half precision with its figures and its licence.

    The temperature and the threshold of unsure (see `unsure_threshold`) are fitted on the validation images that are not in
    training.

    Args:
        request: the checkpoint, its dataset and its folder. An empty dataset takes the one that the checkpoint was trained
            on, which may be a copy (`parquet`). Split, rule and detector are set here.
        out: the `.safetensors` file to write.
        licence: the terms under which the weights may be used.
        second_crop: inference takes the mean with a second crop, the square around the box. In a dataset of crops YuNet
            then finds the faces, as in inference.

    Returns:
        the figures of the stored weights on the validation split. The metadata of the file holds them, with the epoch and
        the calibration errors before and after (cross-fitted); see `read_description`.

    Raises:
        ValueError: see `load_checkpoint`, `load_samples`, `create_detector`; or a weight is too large for float16.
    """
    _check_out(out)
    model, description = load_checkpoint(request.weights)
    description.dataset = request.dataset or description.dataset
    description.second_crop = second_crop
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / Path(out).name
        save_checkpoint(stored, model, description, half=True)
        predictions = predict_split(
            replace(
                request,
                weights=stored,
                dataset=description.dataset,
                split="val",
                rule=description.recipe.get("val_rule", ""),
                detector="yunet" if second_crop else "none",
            )
        )
    predictions.description = description
    calibration = calibrate(predictions)
    description.licence, description.recipe = licence, without_places(description.recipe)
    evaluation = measure(predictions)
    epoch = description.metrics.get("epoch")
    description.metrics = evaluation.to_dict() | {"epoch": epoch, "calibration": calibration}
    save_checkpoint(out, model, description, half=True)
    return evaluation


def _check_out(out: str | Path) -> None:
    """Before the work, which would be lost."""
    if Path(out).suffix != ".safetensors":
        raise ValueError(f"--out {out}: expected a name that ends with .safetensors")
    if Path(out).is_dir():
        raise ValueError(f"--out {out}: is a folder; expected the name of a file")
    Path(out).parent.mkdir(parents=True, exist_ok=True)


def calibrate(split: SplitPredictions) -> dict:
    """Fit temperature and threshold of the description on the images that training has not seen.

    Returns:
        their number `n`, and the expected calibration error before and after. The error after is cross-fitted: fitted on
        one half and measured on the other, both ways.
    """
    all_seen = split.leaked is None or split.leaked.all()
    clean = np.ones(len(split.samples), bool) if split.leaked is None or all_seen else ~split.leaked
    logits, targets = split.predictions.logits[clean], split.predictions.targets[clean]
    split.description.temperature = fit_temperature(logits, targets)
    split.description.unsure_below = unsure_threshold(logits / split.description.temperature, targets)
    return {
        "n": int(clean.sum()),
        "error_before": expected_calibration_error(logits, targets),
        "error_cross_fitted": cross_fitted_error(logits, targets),
    }


def without_places(recipe: dict) -> dict:
    """A training configuration without the folders of the machine that it ran on; other checkpoints keep folder and name."""
    recipe = {name: value for name, value in recipe.items() if name not in ("data", "out")}
    for name in ("init_weights", "backbone_weights", "teachers", "mean_of"):
        if isinstance(recipe.get(name), list):
            recipe[name] = [_shorten(path) for path in recipe[name]]
        elif recipe.get(name):
            recipe[name] = _shorten(recipe[name])
    return recipe


def _shorten(path: object) -> str:
    return "/".join(Path(str(path)).parts[-2:])
