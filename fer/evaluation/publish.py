"""From the checkpoint of a run to a file that is shipped."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..models.checkpoint import find_checkpoint, load_checkpoint, save_checkpoint
from .evaluate import evaluate_checkpoint


def publish_checkpoint(
    weights: str | Path, out: str | Path, data: str | Path, licence: str, device: str = "auto", batch_size: int = 64
) -> dict:
    """Store a checkpoint in half precision, with the validation figures of the stored file and a licence in its metadata.

    Args:
        weights: a checkpoint of a run.
        out: the `.safetensors` file to write.
        data: the folder of the dataset that the checkpoint was trained on.
        licence: under which terms the weights may be used.

    Returns:
        the figures of `evaluate_checkpoint` on the validation split; read them again by `read_description`.

    Raises:
        ValueError: see `load_checkpoint`, `load_samples`; or a weight is too large for float16.
    """
    if Path(out).suffix != ".safetensors":
        raise ValueError(f"--out {out}: expected a name that ends with .safetensors")
    model, description = load_checkpoint(find_checkpoint(weights))
    description.licence = licence
    rule = description.recipe.get("val_rule", "majority")
    with tempfile.TemporaryDirectory() as folder:
        stored = Path(folder) / Path(out).name
        save_checkpoint(stored, model, description, half=True)
        figures = evaluate_checkpoint(
            stored, description.dataset, data, "val", rule, device=device, batch_size=batch_size
        )
    description.metrics = figures | {"epoch": description.metrics.get("epoch")}
    save_checkpoint(out, model, description, half=True)
    return description.metrics
