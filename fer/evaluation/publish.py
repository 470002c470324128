"""Publishing: from the checkpoint of a run to a calibrated file for release."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..description import is_stored_prior
from ..models.checkpoint import load_checkpoint, save_checkpoint
from ..prior import parse_prior
from .calibration import cross_fitted_error, expected_calibration_error, fit_temperature, unsure_threshold
from .evaluate import Evaluation, SplitPredictions, measure, predict_split
from .request import EvaluationRequest


def publish_checkpoint(
    request: EvaluationRequest,
    out: str | Path,
    licence: str,
    second_crop: bool = False,
    limits: dict[str, float] | None = None,
    prior: str = "trained",
) -> Evaluation:
    """Calibrate a checkpoint on validation, and store it in half precision with its metrics and its licence.

    The temperature and the threshold of unsure predictions (see `unsure_threshold`) are fitted on the validation images
    that are not in training.

    Args:
        request: the checkpoint, and the name and folder of its dataset. An empty name stands for the dataset that the
            checkpoint was trained on, which may be a packed copy (`parquet`). Its split, rule and detector are ignored.
        out: the `.safetensors` file to write.
        licence: the terms under which the weights may be used.
        second_crop: let inference average the logits with those of a second crop, the square around the box. In a
            dataset of crops, YuNet then detects the faces, as in inference.
        limits: of a face's quality, see `find_limits`; None keeps those of the checkpoint.
        prior: mix of classes that prediction expects by default: trained, even or even:STRENGTH. The threshold of
            unsure predictions is fitted with it. The returned figures are without it.

    Returns:
        the evaluation of the stored weights on the validation split. It is also stored in the description of the file
        (`metrics`), with the epoch and the result of `calibrate`.

    Raises:
        ValueError: see `load_checkpoint`, `load_samples`, `create_detector`; `out` is a folder or does not end with
            .safetensors; the checkpoint was trained on the validation images; a weight is too large for float16;
            or see `parse_prior`.
    """
    _check_out(out)
    model, description = load_checkpoint(request.weights)
    description.dataset = request.dataset or description.dataset
    if not is_stored_prior(prior):
        raise ValueError(f"--prior {prior}: a checkpoint can hold trained, even or even:STRENGTH, 0 to 1")
    description.second_crop, description.prior = second_crop, prior
    parse_prior(prior, description)  # raises before the work
    if description.recipe.get("merge_val"):
        raise ValueError(
            f"{request.weights} was trained on the validation images (--merge-val), which therefore cannot "
            "calibrate it; publish the run without --merge-val"
        )
    if limits is not None:
        description.limits = limits
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
    """Check before the work, which would be lost."""
    if Path(out).suffix != ".safetensors":
        raise ValueError(f"--out {out}: expected a name that ends with .safetensors")
    if Path(out).is_dir():
        raise ValueError(f"--out {out}: is a folder; expected the name of a file")
    Path(out).parent.mkdir(parents=True, exist_ok=True)


def calibrate(split: SplitPredictions) -> dict:
    """Fit the temperature and the threshold in `split.description` on the images that are not in training.

    All images are used if none is left, or if the training images are unknown.

    Returns:
        `n`, the number of images; `error_before`, the expected calibration error without temperature; and
        `error_cross_fitted`, the error with it, see `cross_fitted_error`.
    """
    all_leaked = split.leaked is None or split.leaked.all()
    clean = np.ones(len(split.samples), bool) if split.leaked is None or all_leaked else ~split.leaked
    logits, targets = split.predictions.logits[clean], split.predictions.targets[clean]
    split.description.temperature = fit_temperature(logits, targets)
    columns = [split.description.classes.index(name) for name in split.samples.classes]
    corrected = logits / split.description.temperature + parse_prior("auto", split.description)[columns]
    split.description.unsure_below = unsure_threshold(corrected, targets)
    return {
        "n": int(clean.sum()),
        "error_before": expected_calibration_error(logits, targets),
        "error_cross_fitted": cross_fitted_error(logits, targets),
    }


def without_places(recipe: dict) -> dict:
    """Remove the paths of the training machine from a training configuration.

    Of the paths of other checkpoints, the last folder and the file name are kept.
    """
    recipe = {name: value for name, value in recipe.items() if name not in ("data", "out")}
    for name in ("init_weights", "backbone_weights", "teachers", "mean_of"):
        if isinstance(recipe.get(name), list):
            recipe[name] = [_shorten(path) for path in recipe[name]]
        elif recipe.get(name):
            recipe[name] = _shorten(recipe[name])
    return recipe


def _shorten(path: object) -> str:
    return "/".join(Path(str(path)).parts[-2:])
