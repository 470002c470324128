"""What the page says about its network: a short model card."""

from __future__ import annotations

import re

from fer.inference.recognizer import EmotionRecognizer
from fer.runtimes.types import Network

from .advice import describe_limits

RUNTIMES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "torch": "PyTorch"}


def write_about(recognizer: EmotionRecognizer, in_tab: bool = False) -> str:
    """A short model card as Markdown, from the description stored in the checkpoint.

    Args:
        in_tab: the network runs in the visitor's browser, not on the computer that serves the page.
    """
    description, network = recognizer.description, recognizer.classifier.network
    m = description.metrics
    figures = "The checkpoint does not state its accuracy."
    if "accuracy" in m:
        clean = m.get("accuracy_without_duplicates")
        figures = f"{m['accuracy']:.1%} of {m['n']:,} images of {plain(m['dataset'])} "
        figures += f"({plain(m['split'])} split, rule {plain(m['rule'])}) are recognised correctly"
        figures += (
            f"; {clean:.1%} of the {m['n_without_duplicates']:,} that are not also in the training split"
            if clean
            else ""
        )
        figures += ". By emotion:\n\n| emotion | images | found (recall) | correct if predicted (precision) |\n"
        figures += "|---|---|---|---|\n"
        figures += "\n".join(
            f"| {plain(name)} | {c['n']:,} | {_percent(c['recall'])} | {_percent(c['precision'])} |"
            for name, c in m["per_class"].items()
        )
    return ABOUT.format(
        figures=figures,
        backbone=plain(description.backbone),
        heads=description.num_heads,
        runs=RUNS_IN_TAB if in_tab else _describe_runtime(network),
        privacy=PRIVACY_IN_TAB if in_tab else PRIVACY,
        classes=", ".join(map(plain, description.classes)),
        va=" It also gives valence and arousal, from -1 to 1." if description.va else "",
        dataset=plain(description.dataset or "unnamed data"),
        confidence=CALIBRATED if description.temperature != 1 else "The confidence of this network was not calibrated.",
        unsure=description.unsure_below,
        limits=describe_limits(description.limits),
        licence=plain(description.licence or "not stated"),
    )


def plain(text: object) -> str:
    """Escape text for Markdown and HTML: no tag, link, picture, table or code in it takes effect."""
    return re.sub(r"[^\w\s]|_", lambda sign: f"&#{ord(sign[0])};", " ".join(str(text).split()))


def _describe_runtime(network: Network) -> str:
    device = "CPU" if network.device == "cpu" else f"device {network.device}"
    return f"The network runs on the {device} with {RUNTIMES.get(network.name, network.name)}."


def _percent(share: float | None) -> str:
    """A share in percent; None if the class has no image or was never predicted."""
    return "never" if share is None else f"{share:.0%}"


CALIBRATED = (
    "The confidence is calibrated: on images like the training data, about 80 % of the predictions with "
    "a confidence of 80 % are correct."
)

RUNS_IN_TAB = "Both run in your browser, with ONNX Runtime Web."

PRIVACY = """\
Pictures go from your browser to the computer that runs this page and to no other. Camera frames are never written to
its disk. Uploaded files stay in a temporary folder until they have been read; then they are deleted. The session of the
live view is stored only in your browser tab. Whoever runs the page can change it: trust it as much as you trust them.
"""

PRIVACY_IN_TAB = """\
Nothing leaves this tab. The network came with the page and runs in your browser: no picture, result or
statistic is sent to anyone. The browser keeps only the files of the page, so that it also opens without a connection;
clear the data of this site to delete them. There are no cookies. A rule in the page lets the browser contact only the
host that it came from. That host sees that somebody at your address loads its files, as with any page, and whoever
publishes the page can change it: trust it as much as you trust them.
"""

ABOUT = """
## What this is
A DAN ("Distract Your Attention", [Wen et al. 2021](https://arxiv.org/abs/2109.07270)) with {heads} attention heads
on the backbone {backbone}, trained on {dataset}. It predicts one of: {classes}.{va} YuNet finds the faces.
{runs}

## How good it is
{figures}

{confidence} Below a confidence of {unsure:.0%} the page shows *unsure*.{limits}

## What it cannot do
- An expression is not a feeling. The network predicts the label that people gave to small gray pictures of faces, not
  what a person feels. Do not use it for decisions about people: not at work, at school, at borders, in health care
  or in justice.
- Emotions with few images in the table are mostly missed. Faces seen from the side, covered, very small or in the dark
  give many errors; neutral and sad faces are often confused.
- The attention maps show where the network weighs its features, not why it chose a label. For the shipped network, a
  plain blob in the middle of the face marks what its predictions rely on better than the maps do.
- The training images are not balanced by age, skin tone, pose or culture, and their mix is unknown. Expect uneven
  errors.

## Privacy
{privacy}
## Licence
Code: MIT. Weights: {licence}
"""
