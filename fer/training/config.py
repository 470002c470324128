"""The training configuration: typed fields, filled by a recipe file, overridden by flags."""

from __future__ import annotations

import argparse
import re
import typing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from ..resources import resource_folder

RECIPES = resource_folder("recipes")


def _option(default, help: str, **metadata):
    metadata["help"] = help
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class TrainConfig:
    """Everything that decides a training run. A recipe (YAML) holds some of these fields; flags override it."""

    # data
    dataset: str = _option("ferplus", "name of the dataset")
    data: str = _option("", "folder of the dataset")
    train_rule: str = _option("", "which training images are kept, and their targets; empty: the dataset's default")
    val_rule: str = _option("", "which validation images are kept; empty: the dataset's default")
    drop_duplicates: bool = _option(False, "drop training images that occur in validation or repeat a training image")
    crop_size: int = _option(48, "pixels of the stored crops")
    input_size: int = _option(112, "pixels of the network's input")
    gray: bool = _option(True, "train on gray images")
    mean: list[float] = _option([127.5], "mean of the pixels, one number or one for each of red, green, blue")
    std: list[float] = _option([128.0], "their deviation")
    interpolation: str = _option("cubic", "cubic or linear, from crop_size to input_size", choices=("cubic", "linear"))
    template: list[float] = _option([], "landmarks in a crop, ten fractions x y of its side; empty: measured")
    augmentation: str = _option("faces", "augmentation by name: faces, strong, paper, paper-affectnet, none")
    balanced: bool = _option(False, "draw images by the inverse frequency of their classes")
    class_weights: bool = _option(False, "weigh the cross-entropy by the inverse frequency of the classes")
    mixup: float = _option(0.0, "mixup: images and targets are blended; alpha of the Beta distribution, 0 is off")
    cutmix: float = _option(0.0, "cutmix: a rectangle comes from another image; with mixup, one of both is drawn")
    # network
    backbone: str = _option("mobilefacenet", "mobilefacenet or a name from timm.list_models()")
    backbone_weights: str = _option(
        "", "initial weights: a safetensors or torch file, shipped weights, timm; empty: random"
    )
    init_weights: str = _option("", "checkpoint to go on from: all of its weights that fit, classes by their names")
    num_heads: int = _option(4, "attention heads")
    attention: str = _option("paper", "kind of heads: paper, or qkv (learnt queries)", choices=("paper", "qkv"))
    fusion: str = _option("paper", "of the heads: paper (log-softmax over them), or sum", choices=("paper", "sum"))
    affinity: float = _option(1.0, "weight of the affinity loss")
    partition: float = _option(1.0, "weight of the partition loss")
    overlap: float = _option(0.0, "weight of the overlap between the heads' attention maps")
    teachers: list[str] = _option([], "checkpoints whose mean probabilities are learnt too (distillation)")
    distill: float = _option(0.5, "share of the cross-entropy that goes to the teachers")
    distill_temperature: float = _option(1.0, "temperature at which teachers and student are compared")
    # optimisation
    epochs: int = _option(40, "epochs")
    batch_size: int = _option(64, "images in one pass of one process")
    accumulate: int = _option(1, "passes per step of the optimiser")
    optimizer: str = _option("adamw", "adamw or sgd", choices=("adamw", "sgd"))
    sam: float = _option(0.0, "radius rho of sharpness-aware minimisation, twice the work; 0 is off")
    lr: float = _option(1e-3, "peak learning rate of everything behind the backbone")
    backbone_lr: float = _option(4e-4, "peak learning rate of the backbone")
    layer_decay: float = _option(1.0, "factor on the learning rate from each stage of the backbone to the one before")
    schedule: str = _option("cosine", "cosine, or step: times gamma", choices=("cosine", "step"))
    step_epochs: int = _option(10, "epochs between the falls of schedule step")
    gamma: float = _option(0.1, "factor of a fall of schedule step")
    weight_decay: float = _option(0.05, "weight decay of matrices and kernels")
    warmup_epochs: float = _option(0.5, "epochs of linear warm-up")
    freeze: list[str] = _option([], "modules kept fixed at first and for how many epochs, e.g. backbone.stem:2")
    ema: float = _option(0.999, "decay of the averaged weights that are validated and saved; 0 is none")
    clip: float = _option(5.0, "largest norm of the gradient; 0 does not clip")
    # machine
    seed: int = _option(0, "seed of weights, order and augmentation")
    device: str = _option("auto", "auto, cpu, cuda, cuda:1 (the second GPU) or mps")
    amp: bool = _option(True, "bfloat16 autocast, unless the CPU only emulates it")
    compile: bool = _option(False, "torch.compile: slow start, faster steps")
    workers: int = _option(1, "processes that load images; 0 loads in the training process")
    cache: bool = _option(False, "keep prepared crops in a temporary file, so that each image is decoded once")
    detector_weights: str = _option(
        "", "ONNX file of YuNet, which measures the template; empty: the one of the package"
    )
    # run
    out: str = _option("", "folder of the run")
    resume: bool = _option(False, "go on from the last checkpoint in --out")
    minutes: float = _option(0.0, "stop after the epoch that ends later than this, one at least; 0 is no limit")

    def __post_init__(self) -> None:
        self._check_types()
        least: dict[str, float] = {"epochs": 1, "batch_size": 2, "num_heads": 1, "crop_size": 16, "input_size": 16}
        least |= dict.fromkeys(("lr", "backbone_lr", "weight_decay", "affinity", "partition", "overlap", "clip"), 0.0)
        least |= dict.fromkeys(("accumulate", "step_epochs"), 1) | dict.fromkeys(
            ("mixup", "cutmix", "sam", "minutes"), 0.0
        )
        least |= dict.fromkeys(("seed", "workers", "warmup_epochs"), 0)
        for name, limit in least.items():
            if getattr(self, name) < limit:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {limit}, not {getattr(self, name)}")
        for text in self.freeze:
            if not re.fullmatch(r"[\w.]+:\d+", text):
                raise ValueError(f"--freeze takes MODULE:EPOCHS, e.g. backbone.stem:2, not {text!r}")
        for name in ("layer_decay", "gamma"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(
                    f"--{name.replace('_', '-')} is a factor above 0, at most 1, not {getattr(self, name)}"
                )
        if not 0 <= self.distill <= 1 or self.distill_temperature <= 0:
            raise ValueError("--distill is a share in [0, 1] and --distill-temperature above 0")
        if {len(self.mean), len(self.std)} - {1, 3} or min(self.std) <= 0:
            raise ValueError("--mean and --std take one number or three, --std above 0")
        if len(self.template) not in (0, 10):
            raise ValueError(f"--template takes ten fractions (five x, y pairs), not {len(self.template)}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"--ema is a decay in [0, 1), not {self.ema}")

    def _check_types(self) -> None:
        """A recipe is text: what it gives must be of the field's type, and one of its choices."""
        types = typing.get_type_hints(TrainConfig)
        for f in fields(self):
            value, flag = getattr(self, f.name), f"--{f.name.replace('_', '-')}"
            kind, inner = typing.get_origin(types[f.name]) or types[f.name], typing.get_args(types[f.name])
            if kind is float and type(value) is int:
                setattr(self, f.name, float(value))
            elif type(value) is not kind:
                raise ValueError(f"{flag} takes a {kind.__name__}, not {value!r}")
            if kind is list and any(type(v) is not inner[0] for v in value):
                raise ValueError(f"{flag} takes a list of {inner[0].__name__}, not {value!r}")
            choices = f.metadata.get("choices")
            if choices and value not in choices:
                raise ValueError(f"{flag} must be one of {', '.join(choices)}, not {value!r}")

    def to_yaml(self) -> str:
        return yaml.safe_dump(asdict(self), sort_keys=False)


# Fields that change how and where a run is done, and not what is learnt.
FREE = frozenset({"resume", "out", "data", "workers", "device", "compile", "minutes", "cache", "detector_weights"})


def read_named_yaml(name: str, folder: Path, kind: str, kinds: str) -> tuple[Path, dict]:
    """A YAML file by its name in `folder` or by a path -> the path, and the fields in it.

    Args:
        kind, kinds: what such a file is called in messages.

    Raises:
        ValueError: no such file, or it does not hold fields.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise ValueError(f"no {kind} {name!r}; known {kinds}: {known}; or give the path of a YAML file")
    try:
        values = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: expected lines `field: value`, got a {type(values).__name__}")
    return path, values


def load_recipe(name: str, above: tuple[Path, ...] = ()) -> dict:
    """The fields that a recipe sets, and before them those of its `base`, another recipe or a file beside it.

    Args:
        above: the recipes that build on this one.

    Raises:
        ValueError: no such recipe, a field that TrainConfig does not have, or recipes that build on each other in a circle.
    """
    path, values = read_named_yaml(name, RECIPES, "recipe", "recipes")
    known, chain = {f.name for f in fields(TrainConfig)}, (*above, path)
    if path.resolve() in [p.resolve() for p in above]:
        raise ValueError(f"{path}: recipes build on each other in a circle: {' -> '.join(map(str, chain))}")
    base = load_recipe(_find_base(values.pop("base"), path), chain) if "base" in values else {}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{path}: unknown field {', '.join(unknown)}; known fields: {', '.join(sorted(known))}")
    return base | values


def _find_base(base: object, recipe: Path) -> str:
    """The `base` of a recipe file: a name in recipes/, or a file beside the recipe."""
    if not isinstance(base, str):
        raise ValueError(f"{recipe}: base is the name of a recipe, not {base!r}")
    is_file = base.endswith((".yaml", ".yml"))
    beside = recipe.parent / (base if is_file else f"{base}.yaml")
    shipped = not is_file and (RECIPES / f"{base}.yaml").is_file()
    return str(beside) if beside.is_file() and not shipped else base


def add_flags(parser: argparse.ArgumentParser, recipe: bool = True) -> None:
    """A flag for each field of TrainConfig; a flag that is not given leaves no trace."""
    if recipe:
        parser.add_argument("--recipe", help="name in recipes/ or path of a YAML file")
    types = typing.get_type_hints(TrainConfig)
    for f in fields(TrainConfig):
        default = getattr(TrainConfig(), f.name)
        options: dict[str, typing.Any] = {
            "help": f"{f.metadata['help']} (default: {default})",
            "default": argparse.SUPPRESS,
        }
        kind = types[f.name]
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif typing.get_origin(kind) is list:
            options |= {"nargs": "*", "type": typing.get_args(kind)[0]}
        else:
            options |= {"type": kind, "choices": f.metadata.get("choices")}
        parser.add_argument(f"--{f.name.replace('_', '-')}", **options)


def flags_from_arguments(arguments: argparse.Namespace) -> dict:
    """The fields whose flags were given."""
    return {f.name: getattr(arguments, f.name) for f in fields(TrainConfig) if hasattr(arguments, f.name)}


def config_from_arguments(arguments: argparse.Namespace) -> TrainConfig:
    """Recipe, then flags."""
    recipe = load_recipe(arguments.recipe) if arguments.recipe else {}
    return TrainConfig(**(recipe | flags_from_arguments(arguments)))
