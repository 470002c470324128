"""Model cards made from measurements: a Markdown file with the header that the Hugging Face Hub reads."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..description import Description
from ..models.checkpoint import load_checkpoint
from ..resources import find_checkpoint
from .hub_card import format_metadata, make_metadata

WRITTEN = ("Purpose", "Licence", "Limits")  # sections that a person writes


@dataclass(frozen=True)
class Measured:
    """What one folder of `fer evaluate` holds."""

    command: str
    metrics: dict
    robustness: list[dict]
    faithfulness: dict | None


def read_evaluation(folder: str | os.PathLike, weights: str) -> Measured:
    """Read the files of `fer evaluate` in a folder.

    Args:
        weights: name of the weights without suffix; the figures must be theirs.

    Raises:
        ValueError: no such files, or they are of other weights.
    """
    metrics = _read_json(Path(folder, "metrics.json"))
    if metrics is None:
        raise ValueError(f"{folder}: no metrics.json; fer evaluate ... --out {folder} writes it")
    if Path(metrics["weights"]).stem != weights:
        raise ValueError(f"{folder}: figures of {metrics['weights']}, not of {weights}")
    robustness = (_read_json(Path(folder, "robustness.json")) or {}).get("rows", [])
    return Measured(_command(weights, metrics), metrics, robustness, _read_json(Path(folder, "faithfulness.json")))


def _read_json(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error})") from None


def _command(weights: str, m: dict) -> str:
    """The command that gave the figures."""
    parts = [f"fer evaluate --weights {weights} --dataset {m['dataset']} --data DIR --split {m['split']}"]
    parts += [f"--rule {m['rule']}"] if m["rule"] not in ("majority", "label") else []
    parts += ["--flip"] if m["flip"] else []
    if m.get("accuracy_as_given") is not None:
        parts.append("--end-to-end")
    elif m["detector"] not in ("none", "annotation"):
        parts.append(f"--detector {m['detector']}")
    return " ".join([*parts, "--out OUT"])


def read_sections(path: str | os.PathLike) -> dict[str, str]:
    """The sections of WRITTEN from a Markdown file, by heading.

    Raises:
        ValueError: no such file, or a section is missing.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    parts = re.split(r"^#+ (.+)$", text, flags=re.M)[1:]
    sections = {name.strip(): body.strip() for name, body in zip(parts[::2], parts[1::2])}
    if missing := [name for name in WRITTEN if not sections.get(name)]:
        raise ValueError(f"{path}: no section {', '.join(missing)}; expected the headings {', '.join(WRITTEN)}")
    return sections


def make_card(weights: str | os.PathLike, evaluations: list[str | os.PathLike], text: str | os.PathLike) -> str:
    """The model card of a checkpoint, as Markdown.

    Args:
        weights: a checkpoint, or the name of shipped weights.
        evaluations: folders of `fer evaluate`; the first has the headline figures.
        text: a Markdown file with the sections of WRITTEN, all that is not measured.

    Raises:
        ValueError: see `read_evaluation`, `read_sections`, `load_checkpoint`.
    """
    import jinja2

    path = find_checkpoint(weights)
    model, description = load_checkpoint(path)
    measured = [read_evaluation(folder, path.stem) for folder in evaluations]
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["percent"] = lambda value, digits=2: "" if value is None else f"{100 * value:.{digits}f}"
    return templates.get_template("card.md").render(
        name=path.stem,
        header=_header(path, description, measured),
        d=description,
        p=description.preprocessing,
        parameters=sum(p.numel() for p in model.parameters()),
        files=[(f.name, f.stat().st_size) for f in sorted(path.parent.glob(f"{path.stem}.*")) if f.suffix in FILES],
        measured=measured,
        m=measured[0].metrics if measured else None,
        robustness=next((x for x in measured if x.robustness), None),
        faithfulness=next((x for x in measured if x.faithfulness), None),
        written=read_sections(text),
        recipe=_recipe(description),
    )


def _header(path: Path, description: Description, measured: list[Measured]) -> str:
    licence = f"LICENSE-{path.stem}.txt"
    file = licence if (path.parent / licence).is_file() else ""
    return format_metadata(make_metadata(path.stem, description, [x.metrics for x in measured], file))


FILES = (".safetensors", ".onnx")
RECIPE = (  # fields of the configuration that a card names
    *(
        "epochs",
        "batch_size",
        "optimizer",
        "lr",
        "backbone_lr",
        "weight_decay",
        "schedule",
        "augmentation",
        "degrade",
        "ema",
        "seed",
    ),
    *("affinity", "partition", "overlap", "outside", "distill", "teachers", "init_weights", "backbone_weights"),
)


def _recipe(description: Description) -> dict[str, object]:
    recipe = description.recipe
    return {name: recipe[name] for name in RECIPE if recipe.get(name) not in (None, "", [], 0, 0.0)}
