"""The training configuration: typed fields, set by a recipe file and overridden by flags."""

from __future__ import annotations

import argparse
import re
import typing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import yaml

from ..registry import ATTENTIONS, BACKBONES, LOSSES, parse_losses
from ..resources import resource_folder

RECIPES = resource_folder("recipes")


def _option(default, help: str, **metadata):
    metadata["help"] = help
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class TrainConfig:
    """The settings of a training run. A recipe (a YAML file) sets some of these fields; flags override them.

    Raises:
        ValueError: a value of another type or out of its range. The message names the flag.
    """

    # data
    dataset: str = _option("ferplus", "name of the dataset, or several names, separated by commas: {datasets}")
    data: str = _option("", "folder of the dataset; of several datasets their folders, separated by commas")
    shares: list[float] = _option([], "share of each of several datasets in an epoch; empty: each image occurs once")
    train_rule: str = _option("", "which training images to keep, and their targets; empty: the dataset's default")
    val_rule: str = _option("", "which validation images to keep; empty: the dataset's default")
    votes: str = _option("", "CSV file with columns image and votes_<class>: training learns the shares of the votes")
    drop_duplicates: bool = _option(False, "drop copies of validation images and repeated images from training")
    merge_val: bool = _option(
        False,
        "train on the validation images too, kept and labelled by train_rule; for the last run; needs select last",
    )
    fold: str = _option(
        "", "cross-validation: K/N validates on part K of N and trains on the others; K/persons: on person K"
    )
    person: str = _option(
        "", "with fold: a regular expression for the name of an image, whose first group is the person, or a CSV file"
    )
    detect: bool = _option(False, "the images are photos: find the largest face of each; leave out those without one")
    crop_size: int = _option(48, "side of the training crops, in pixels; larger crops are reduced to it")
    input_size: int = _option(112, "side of the network's input, in pixels")
    gray: bool = _option(True, "train on gray images")
    mean: list[float] = _option([127.5], "mean of the pixel values: one number, or three for red, green, blue")
    std: list[float] = _option([128.0], "standard deviation of the pixel values, likewise")
    interpolation: str = _option("cubic", "resizing from crop_size to input_size", choices=("cubic", "linear"))
    template: list[float] = _option([], "x y of five landmarks in a crop, as fractions of its side; empty: measured")
    augmentation: str = _option("faces", "augmentation: faces, strong, paper, paper-affectnet or none")
    balanced: bool = _option(False, "sample images by the inverse frequency of their classes")
    class_weights: bool = _option(False, "weigh the cross-entropy by the inverse frequency of the classes")
    mixup: float = _option(0.0, "mixup: blend images and targets; alpha of the Beta distribution, 0: off")
    cutmix: float = _option(0.0, "cutmix: paste a rectangle of another image; alpha, 0: off; with mixup, one per batch")
    degrade: float = _option(0.0, "share of the images that lose detail for the student, not for the teachers, 0 to 1")
    # network
    backbone: str = _option("mobilefacenet", "{backbones}, or a name from timm.list_models()")
    backbone_weights: str = _option(
        "",
        "initial weights: a safetensors or torch file, a name of shipped weights, or timm; of several, separated by "
        "commas, the first that exists; empty: random",
    )
    init_weights: str = _option("", "checkpoint to start from: all weights that fit, and classes of the same name")
    num_heads: int = _option(4, "number of attention heads")
    attention: str = _option("paper", "kind of heads: paper, or qkv (learnt queries)", choices=ATTENTIONS)
    fusion: str = _option("paper", "fusion of the heads: paper (after log-softmax) or sum", choices=("paper", "sum"))
    label_smoothing: float = _option(0.0, "share of each target that is spread over all classes in the cross-entropy")
    affinity: float = _option(1.0, "weight of the affinity loss")
    partition: float = _option(1.0, "weight of the partition loss")
    overlap: float = _option(0.0, "weight of the overlap loss of the attention maps")
    outside: float = _option(0.0, "weight of the loss on attention outside the face; needs a template")
    va: bool = _option(False, "learn valence and arousal too; the dataset must have them")
    va_weight: float = _option(1.0, "weight of the loss of valence and arousal; needs va")
    loss: list[str] = _option([], "further loss terms, NAME:WEIGHT; registered: {losses} (docs/extending.md)")
    teachers: list[str] = _option([], "checkpoints for distillation; their mean probabilities are learnt too")
    distill: float = _option(0.5, "weight of distillation, 0 to 1; the cross-entropy has the rest; needs teachers")
    distill_temperature: float = _option(1.0, "temperature of distillation")
    # optimisation
    epochs: int = _option(40, "number of epochs")
    batch_size: int = _option(64, "images per batch and process")
    accumulate: int = _option(1, "batches per optimiser step (gradient accumulation)")
    optimizer: str = _option("adamw", "optimiser", choices=("adamw", "sgd"))
    sam: float = _option(0.0, "radius rho of sharpness-aware minimisation, which doubles the work; 0: off")
    lr: float = _option(1e-3, "peak learning rate of all layers after the backbone")
    backbone_lr: float = _option(4e-4, "peak learning rate of the backbone (of its last stage, see layer_decay)")
    layer_decay: float = _option(1.0, "factor on the learning rate from each stage of the backbone to the one before")
    schedule: str = _option("cosine", "learning-rate schedule after the warm-up", choices=("cosine", "step"))
    step_epochs: int = _option(10, "schedule step: epochs between two decays")
    gamma: float = _option(0.1, "schedule step: factor of a decay")
    weight_decay: float = _option(0.05, "weight decay of matrices and kernels")
    warmup_epochs: float = _option(0.5, "epochs of linear warm-up")
    freeze: list[str] = _option([], "modules to freeze for the first epochs, MODULE:EPOCHS, e.g. backbone.stem:2")
    ema: float = _option(0.999, "decay of the moving average of the weights, which is validated and saved; 0: off")
    clip: float = _option(5.0, "maximum norm of the gradient; 0: no clipping")
    select: str = _option(
        "accuracy",
        "which epoch is the best: by this figure on validation images that are not in training, or the last",
        choices=("accuracy", "balanced_accuracy", "macro_f1", "last"),
    )
    patience: int = _option(0, "stop after so many epochs without a better one; 0: never")
    # machine
    seed: int = _option(0, "random seed of the weights, the order of the images and the augmentation")
    device: str = _option("auto", "auto, cpu, cuda, cuda:1 (the second GPU) or mps")
    amp: bool = _option(True, "bfloat16 autocast, unless the CPU only emulates it")
    compile: bool = _option(False, "torch.compile: the first step is slow, all others are faster")
    workers: int = _option(1, "processes that load images; 0: the training process loads them")
    cache: bool = _option(False, "keep prepared crops in a temporary file, so that each image is decoded once")
    detector_weights: str = _option("", "ONNX file of YuNet, for measuring the template; empty: the one of the package")
    # run
    out: str = _option("", "folder of the run")
    resume: bool = _option(False, "continue the run in --out after its last epoch")
    track: list[str] = _option([], "also log the figures to wandb (offline) or mlflow (a local file), or both")
    minutes: float = _option(0.0, "time limit in minutes: stop at the end of the epoch that exceeds it; 0: none")

    def __post_init__(self) -> None:
        self._check_types()
        minimum: dict[str, float] = {"epochs": 1, "batch_size": 2, "num_heads": 1, "crop_size": 16, "input_size": 16}
        minimum |= dict.fromkeys(("lr", "backbone_lr", "weight_decay", "affinity", "partition", "overlap"), 0.0)
        minimum |= dict.fromkeys(("outside", "clip", "mixup", "cutmix", "sam", "minutes", "va_weight"), 0.0)
        minimum |= dict.fromkeys(("accumulate", "step_epochs"), 1)
        minimum |= dict.fromkeys(("seed", "workers", "warmup_epochs", "patience"), 0)
        for name, limit in minimum.items():
            if getattr(self, name) < limit:
                raise ValueError(f"--{name.replace('_', '-')} must be at least {limit}, not {getattr(self, name)}")
        for text in self.freeze:
            if not re.fullmatch(r"[\w.]+:\d+", text):
                raise ValueError(f"--freeze takes MODULE:EPOCHS, e.g. backbone.stem:2, not {text!r}")
        parse_losses(self.loss)
        for name in ("layer_decay", "gamma"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0 and at most 1, not {getattr(self, name)}")
        for name in ("distill", "degrade"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"--{name} must be between 0 and 1, not {getattr(self, name)}")
        if self.distill_temperature <= 0:
            raise ValueError(f"--distill-temperature must be above 0, not {self.distill_temperature}")
        if {len(self.mean), len(self.std)} - {1, 3} or min(self.std) <= 0:
            raise ValueError(
                f"--mean and --std take one number or three, --std above 0; got --mean {self.mean}, --std {self.std}"
            )
        if len(self.template) not in (0, 10):
            raise ValueError(f"--template takes ten fractions (five pairs x y), not {len(self.template)} numbers")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"--label-smoothing must be at least 0 and below 1, not {self.label_smoothing}")
        self._check_combinations()
        if not 0 <= self.ema < 1:
            raise ValueError(f"--ema must be at least 0 and below 1, not {self.ema}")

    def _check_combinations(self) -> None:
        """Check what is wrong only together."""
        if self.balanced and self.class_weights:
            raise ValueError("--balanced and --class-weights both even out the classes; together they do it twice")
        if self.select == "last" and self.patience:
            raise ValueError("--patience waits for a better epoch, but --select last compares none; leave out one")
        if self.merge_val and (self.select != "last" or self.fold or self.drop_duplicates):
            raise ValueError(
                "--merge-val leaves no images to choose an epoch by: add --select last, and leave out --fold and "
                "--drop-duplicates"
            )
        if self.person and not self.fold:
            raise ValueError("--person divides the persons of --fold; add, e.g., --fold 1/5")
        datasets, shares = self.dataset.count(",") + 1, self.shares
        if shares and (datasets != len(shares) or datasets == 1 or min(shares) < 0 or not sum(shares)):
            raise ValueError(f"--shares takes a number of at least 0 for each of several datasets, not {shares}")

    def _check_types(self) -> None:
        """Check that each value, which may come from a YAML file, has the field's type and is one of its choices."""
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


# Fields that may change when a run is resumed: they decide where and how it runs, and not what it learns.
FREE = frozenset(
    ("resume", "out", "data", "workers", "device", "compile", "minutes", "cache", "detector_weights", "track")
)


def read_named_yaml(name: str, folder: Path, kind: str, kinds: str) -> tuple[Path, dict]:
    """Read a YAML file of fields, given by its name in `folder` or by its path.

    Args:
        kind, kinds: the words for such a file in messages, singular and plural.

    Returns:
        the path of the file and its fields.

    Raises:
        ValueError: no such file, not valid YAML, or no fields in it.
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
    """Read the fields that a recipe sets. They override those of its `base`: another recipe, or a file beside it.

    Args:
        name: a name in recipes/, or the path of a YAML file.
        above: the recipes that build on this one; by them, a circle is recognised.

    Raises:
        ValueError: no such recipe, unknown field, or recipes that build on each other in a circle.
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
    """What `load_recipe` takes for the `base` of a recipe: the path of a file beside it, or a name in recipes/."""
    if not isinstance(base, str):
        raise ValueError(f"{recipe}: base is the name of a recipe, not {base!r}")
    is_file = base.endswith((".yaml", ".yml"))
    beside = recipe.parent / (base if is_file else f"{base}.yaml")
    shipped = not is_file and (RECIPES / f"{base}.yaml").is_file()
    return str(beside) if beside.is_file() and not shipped else base


def add_flags(parser: argparse.ArgumentParser, recipe: bool = True) -> None:
    """Add a flag for each field of TrainConfig. A flag that is not given sets no attribute.

    Args:
        recipe: add --recipe too.
    """
    if recipe:
        parser.add_argument("--recipe", help="name in recipes/ or path of a YAML file")
    from ..data import DATASETS

    registered = {"datasets": list(DATASETS), "backbones": list(BACKBONES), "losses": list(LOSSES)}
    names = {kind: ", ".join(known) or "none" for kind, known in registered.items()}
    types = typing.get_type_hints(TrainConfig)
    for f in fields(TrainConfig):
        default = getattr(TrainConfig(), f.name)
        options: dict[str, typing.Any] = {
            "help": f"{f.metadata['help'].format(**names)} (default: {default})",
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
    """The fields of TrainConfig whose flags were given, {name: value}."""
    return {f.name: getattr(arguments, f.name) for f in fields(TrainConfig) if hasattr(arguments, f.name)}


def config_from_arguments(arguments: argparse.Namespace) -> TrainConfig:
    """Build the configuration from the recipe and the flags, which override it."""
    recipe = load_recipe(arguments.recipe) if arguments.recipe else {}
    return TrainConfig(**(recipe | flags_from_arguments(arguments)))
