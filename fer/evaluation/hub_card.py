"""Model cards for the Hugging Face Hub: their metadata, and a short card, from the description of a checkpoint."""

from __future__ import annotations

import re

import yaml

from ..description import Description

KNOWN_LICENCES = ("apache-2.0", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-4.0", "cc0-1.0", "mit")  # names
_FORMATS = ("", "none", "folder", "parquet")  # of data, which do not name a dataset
_HEADER = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*\r?\n", re.S | re.M)


def make_metadata(name: str, description: Description, figures: list[dict], licence_file: str = "") -> dict:
    """The metadata at the head of a model card.

    Args:
        name: of the weights.
        figures: of `fer evaluate`, as in its metrics.json or in `Description.metrics`; those without accuracy are left
            out.
        licence_file: the file beside the card with the terms, where they are none of KNOWN_LICENCES.
    """
    metadata: dict = {
        "library_name": "dan-fer",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression-recognition", "emotion-recognition", "dan"],
        **_licence(description.licence, licence_file),
    }
    if description.dataset not in _FORMATS:
        metadata["datasets"] = [description.dataset]
    metadata["metrics"] = ["accuracy", "f1"]
    if results := [_result(f, description) for f in figures if f.get("accuracy") is not None]:
        metadata["model-index"] = [{"name": name, "results": results}]
    return metadata


def is_known_licence(licence: str) -> bool:
    """Whether the terms are one of KNOWN_LICENCES, so that no file needs to state them."""
    return licence.strip().lower() in KNOWN_LICENCES


def _licence(licence: str, file: str) -> dict[str, str]:
    """The Hub knows terms of one's own by a name of small letters, digits and hyphens."""
    if not licence:
        return {}
    if is_known_licence(licence):
        return {"license": licence.strip().lower()}
    first = re.split(r"[:.;\n]", licence.strip())[0].lower()
    name = re.sub(r"[^a-z0-9]+", "-", first).strip("-")[:60].rstrip("-")
    return {"license": "other", "license_name": name or "other", **({"license_link": file} if file else {})}


def _result(figures: dict, description: Description) -> dict:
    dataset, split = figures.get("dataset") or description.dataset, figures.get("split", "val")
    detector = f"detector {figures['detector']}" if figures.get("detector") else ""
    protocol = ", ".join(filter(None, (f"{dataset} {split}", figures.get("rule"), detector)))
    metrics = [{"type": "accuracy", "value": _percent(figures["accuracy"])}]
    if figures.get("macro_f1") is not None:
        metrics.append({"type": "f1", "name": "macro F1", "value": _percent(figures["macro_f1"])})
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": protocol, "type": dataset, "split": split},
        "metrics": metrics,
    }


def _percent(value: float) -> float:
    return round(100 * value, 2)


def format_metadata(metadata: dict) -> str:
    """Metadata as the YAML header of a card, between lines of three hyphens."""
    text = yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return f"---\n{text}---\n"


def add_metadata(card: str, metadata: dict) -> str:
    """A card with `metadata` in its header; where the card has a header, its own entries are kept.

    Raises:
        ValueError: the header is not a YAML mapping.
    """
    header = _HEADER.match(card)
    try:
        own = yaml.safe_load(header[1]) if header else {}
    except yaml.YAMLError as error:
        raise ValueError(f"the header of the card is not YAML: {error}") from None
    if not isinstance(own or {}, dict):
        raise ValueError(f"the header of the card: expected a YAML mapping, got {type(own).__name__}")
    if "license" in (own or {}):
        metadata = {key: value for key, value in metadata.items() if not key.startswith("license")}
    body = card[header.end() :].lstrip("\r\n") if header else card
    return f"{format_metadata(metadata | (own or {}))}\n{body}"


def write_short_card(repository: str, description: Description) -> str:
    """A card that says how to use a checkpoint and what its description knows, as Markdown without a header."""
    d, p = description, description.preprocessing
    input_size = f"{p.input_size} px, {'gray' if p.gray else 'RGB'}; faces are cut out at {p.crop_size} px"
    network = [("network", f"DAN, {d.num_heads} heads"), ("backbone", d.backbone), ("input", input_size)]
    if d.dataset not in ("", "none"):
        network.append(("dataset", "a folder of photos" if d.dataset == "folder" else d.dataset))
    return f"""# {repository.split("/")[-1]}

A checkpoint of dan-fer, which gives each face of a photo the probability of these classes: {", ".join(d.classes)}.

## Use

```
pip install 'dan-fer[hub]'
fer predict photo.jpg --weights {repository}
```

```python
from fer import EmotionRecognizer

recognizer = EmotionRecognizer.from_pretrained("{repository}")
for face in recognizer("photo.jpg"):
    print(face.label, face.confidence, face.unsure)
```

`model.onnx` runs without PyTorch; `model.safetensors` is the checkpoint, from which training can go on.

## The network

{_table(("", ""), network)}{_figures(d)}
## Limits

An expression is not a feeling. Do not use this to make decisions about people. The figures hold for
photos like those that were measured; measure it on yours before you rely on it.

## Licence

{d.licence or "Not stated. Ask the owner of this repository before you use it."}
"""


def _table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"


_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "expected_calibration_error": "expected calibration error",
}


def _figures(description: Description) -> str:
    m = description.metrics
    if m.get("accuracy") is None:
        return ""
    rows: list[tuple] = [(text, _percent(m[key])) for key, text in _NAMES.items() if m.get(key) is not None]
    if interval := (m.get("intervals") or {}).get("accuracy"):
        range_ = f"95 % interval {_percent(interval['low'])} to {_percent(interval['high'])}"
        rows[0] = ("accuracy", f"{rows[0][1]} ({range_})")
    images = f", {m['n']} images" if m.get("n") else ""
    classes = [
        (name, c.get("n", ""), _cell(c.get("recall")), _cell(c.get("precision")))
        for name, c in (m.get("per_class") or {}).items()
    ]
    of_classes = "\n" + _table(("class", "images", "recall", "precision"), classes) if classes else ""
    protocol = _result(m, description)["dataset"]["name"]
    chosen = "; validation chose the network, so that they are slightly optimistic" if m.get("split") == "val" else ""
    return f"\n## Figures\n\nIn %, on {protocol}{images}{chosen}.\n\n{_table(('', ''), rows)}{of_classes}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"
