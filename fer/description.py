"""The description that a checkpoint carries: all that inference needs to know about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, field, fields
from reprlib import Repr
from textwrap import shorten

from .labels import check_classes
from .preprocessing import Preprocessing

FUSIONS = ("paper", "sum")  # kinds of fusion of the heads
FORMAT_VERSION = 7  # 2: fusion, 3: second_crop, 4: limits and grid, 5: va, 6: class_shares, 7: prior
MAX_HEADS = 1000
LIMITS = {"size": 4096, "brightness": 1, "sharpness": 16, "yaw": 180, "pitch": 180}  # names and largest values


@dataclass
class Description:
    """All that inference needs to know about a checkpoint."""

    backbone: str
    num_heads: int
    classes: tuple[str, ...]  # names in the order of the logits
    preprocessing: Preprocessing
    template: list[list[float]]  # places of the landmarks in a crop [5,2], as fractions of its side; or []
    second_crop: bool = False  # average the logits with those of a second crop, the square around the box
    temperature: float = 1.0  # logits are divided by it before the softmax
    unsure_below: float = 0.5  # predictions with a lower confidence are called unsure
    # Beyond these limits of its quality (see `fer.faces.quality`) a face is called unsure. Size, brightness and
    # sharpness are the least, yaw and pitch the largest angle to either side. An absent name has no limit.
    limits: dict[str, float] = field(default_factory=dict)
    # Places of the cells of the attention maps along each side of the crop, as fractions of the side: the centre of the
    # first one, and the distance between neighbours. [] stands for equal parts of the side.
    grid: list[float] = field(default_factory=list)
    attention: str = "paper"  # kind of heads, a key of `fer.registry.ATTENTIONS`; checked where the network is built
    fusion: str = "paper"  # kind of fusion of the heads
    va: bool = False  # the network also gives valence and arousal
    class_shares: dict[str, float] = field(default_factory=dict)  # of each class in the training; {}: not known
    prior: str = "trained"  # mix of classes that prediction expects by default, see `fer.prior.parse_prior`
    dataset: str = ""
    recipe: dict = field(default_factory=dict)  # the merged training configuration
    metrics: dict = field(default_factory=dict)  # figures with their protocol
    licence: str = ""
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Description:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not JSON, or not a description that this version reads. The message names the field, what was
                expected and what came.
        """
        values = _read_object(text)
        _check_version(values)
        _check_names(values, cls)
        for name, (expected, is_right) in _FIELDS.items():
            if name in values and not is_right(values[name]):
                raise ValueError(f"{name}: expected {expected}, got {_show(values[name])}")
        check_classes(values["classes"])
        shares = values.get("class_shares")
        if shares and set(shares) != set(values["classes"]):
            raise ValueError(f"class_shares: expected a share of each class, got {_show(shares)}")
        if values.get("prior", "trained") != "trained" and not shares:
            raise ValueError(f"prior: expected trained without class_shares, got {_show(values['prior'])}")
        _check_names(values["preprocessing"], Preprocessing, "preprocessing: ")
        try:
            preprocessing = Preprocessing(**values["preprocessing"])
        except ValueError as error:
            raise ValueError(f"preprocessing: {error}") from None
        values |= {"classes": tuple(values["classes"]), "preprocessing": preprocessing}
        return cls(**values | {"format_version": FORMAT_VERSION})


def _read_object(text: str) -> dict:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected JSON, got {_show(text)} ({error})") from None
    if not isinstance(values, dict):
        raise ValueError(f"expected a JSON object, got {_show(values)}")
    return values


def _check_version(values: dict) -> None:
    """Checked first, because the fields of a newer format are unknown."""
    version = values.get("format_version")
    if type(version) is not int or version < 1:
        raise ValueError(f"format_version: expected a whole number of at least 1, got {_show(version)}")
    if version > FORMAT_VERSION:
        raise ValueError(f"format {version} is newer than this package reads ({FORMAT_VERSION}); update the package")


def _check_names(values: dict, kind: type, where: str = "") -> None:
    """An unknown field is refused, because it may change the meaning of the weights."""
    known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(kind)}
    if missing := [name for name, needed in known.items() if needed and name not in values]:
        raise ValueError(f"{where}no field {', '.join(missing)}")
    if unknown := [name for name in values if name not in known]:
        raise ValueError(
            f"{where}unknown field {shorten(', '.join(map(repr, unknown)), 100)}; expected {', '.join(known)}"
        )


_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def _show(value: object) -> str:
    return "nothing" if value is None else _SHORT.repr(value)


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, (int, float)) and type(value) is not bool and least <= value <= most  # False for NaN


def _is_template(value: object) -> bool:
    return isinstance(value, list) and (
        not value
        or len(value) == 5
        and all(isinstance(p, list) and len(p) == 2 and all(_is_number(v, -1e6, 1e6) for v in p) for p in value)
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_name(value: object) -> bool:
    return _is_text(value) and value != ""


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_limits(value: object) -> bool:
    return isinstance(value, dict) and all(
        name in LIMITS and _is_number(limit, 0, LIMITS[name]) for name, limit in value.items()
    )


def _is_shares(value: object) -> bool:
    return isinstance(value, dict) and all(_is_number(share, 0, 1) for share in value.values())


def is_stored_prior(value: object) -> bool:
    """Whether a checkpoint may hold this prior: one that needs no file."""
    return isinstance(value, str) and re.fullmatch(r"trained|even(:(0|1|0?\.\d+))?", value) is not None


def _is_grid(value: object) -> bool:
    return isinstance(value, list) and (
        not value or len(value) == 2 and all(_is_number(v, -1, 1) for v in value) and value[1] > 0
    )


_FIELDS: dict[str, tuple[str, Callable[[object], bool]]] = {  # what is expected: in words, and as a check
    "backbone": ("a name", _is_name),
    "num_heads": (f"a whole number of 1 to {MAX_HEADS}", lambda v: type(v) is int and 1 <= v <= MAX_HEADS),
    "classes": ("a list of different names", lambda v: isinstance(v, list)),
    "preprocessing": ("an object", _is_object),
    "template": ("[] or five points [x, y] as fractions of the crop's side", _is_template),
    "second_crop": ("true or false", lambda v: isinstance(v, bool)),
    "temperature": ("a number of 0.001 to 1000", lambda v: _is_number(v, 1e-3, 1e3)),
    "unsure_below": ("a number of 0 to 1", lambda v: _is_number(v, 0, 1)),
    "limits": (
        f"an object with any of {', '.join(f'{name} (0 to {most})' for name, most in LIMITS.items())}",
        _is_limits,
    ),
    "grid": ("[] or two numbers of -1 to 1, the second above 0", _is_grid),
    "attention": ("a name", _is_name),
    "fusion": (f"one of {', '.join(FUSIONS)}", lambda v: _is_text(v) and v in FUSIONS),
    "va": ("true or false", lambda v: isinstance(v, bool)),
    "class_shares": ("an object of numbers of 0 to 1", _is_shares),
    "prior": ("trained, even or even:STRENGTH, 0 to 1", is_stored_prior),
    "dataset": ("a text", _is_text),
    "recipe": ("an object", _is_object),
    "metrics": ("an object", _is_object),
    "licence": ("a text", _is_text),
}
