"""Probabilities for another mix of classes than that of the training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .description import Description

PRIOR_HELP = (
    "mix of the classes to expect: auto (the one that the weights name), trained (that of the training), even, or a "
    "JSON or YAML file {class: share}; with :STRENGTH of 0 to 1, such as even:0.5, the correction is weaker "
    "(default: %(default)s)"
)


def parse_prior(text: str, description: Description) -> np.ndarray:
    """What to add to logits divided by the temperature, for another mix of classes: strength * log(new / trained).

    A network learns the shares of the classes in its training. Where they differ, p(class) * (new / trained)^strength,
    normalised, is the better probability (logit adjustment: Saerens et al. 2002, Neural Computation 14, 21-41; Menon et
    al. 2021, arXiv:2007.07314).

    Args:
        text: `auto` (`description.prior`), `trained`, `even` (equal shares), or the path of a JSON or YAML file
            {class: share}; the last two perhaps with `:STRENGTH`, 0 to 1 (default: 1).

    Returns:
        float32 [C].

    Raises:
        ValueError: no such file, or not shares of these classes; or the checkpoint does not know its class shares.
    """
    text = description.prior if text == "auto" else text
    match = re.fullmatch(r"(.+?)(?::(0|1|[01]?\.\d+))?", text)
    if not match or float(match[2] or 1) > 1:
        raise ValueError(f"--prior takes auto, trained, even or a file, perhaps with :STRENGTH of 0 to 1, not {text!r}")
    name, strength, classes = match[1], float(match[2] or 1), description.classes
    if name == "trained":
        return np.zeros(len(classes), np.float32)
    if not description.class_shares:
        raise ValueError(f"--prior {text}: this checkpoint does not hold the class shares of its training")
    trained = np.array([description.class_shares[c] for c in classes])
    if not trained.all():
        raise ValueError(f"--prior {text}: there was no {classes[int(trained.argmin())]} in the training")
    new = np.ones(len(classes)) if name == "even" else _read_shares(name, classes)
    shares = np.maximum(new / new.sum(), 1e-9)  # not 0, of which there is no logarithm
    return (strength * np.log(shares / trained)).astype(np.float32)


def _read_shares(path: str, classes: tuple[str, ...]) -> np.ndarray:
    import yaml

    try:
        shares = yaml.safe_load(Path(path).read_text(encoding="utf-8"))  # JSON is YAML
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ValueError(f"--prior {path}: not a readable JSON or YAML file ({reason})") from None
    if not isinstance(shares, Mapping) or set(shares) != set(classes):
        raise ValueError(f"--prior {path}: expected {{class: share}} with the classes {', '.join(classes)}")
    values = np.array([shares[c] if type(shares[c]) in (int, float) else np.nan for c in classes], float)
    if not (values >= 0).all() or not 0 < values.sum() < np.inf:
        raise ValueError(f"--prior {path}: shares are numbers of at least 0, not all 0")
    return values
