"""The training loop."""

from __future__ import annotations

import json
import logging
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..data import Samples, duplicates_of, load_samples, redundant_copies
from ..data.loader import CropDataset, make_loader
from ..data.transforms import Augmentation
from ..device import choose_device
from ..errors import FerError
from ..evaluation.metrics import accuracy, predict, summarize
from ..losses import DANLoss
from ..models.backbone import create_backbone
from ..models.checkpoint import Description, load_training_state, read_description, save_checkpoint, write_atomically
from ..models.dan import DAN
from ..preprocessing import Preprocessing
from .config import TrainConfig
from .optimizer import find_modules, make_optimizer, make_schedule, set_frozen

log = logging.getLogger("fer")

CHECK_EVERY = 10  # steps between looks at the loss; each look waits for the device


class NonFiniteLoss(FerError):
    """A term of the loss is NaN or infinite."""


class Objective(nn.Module):
    """Network and criterion as one module: images and targets in, named loss terms out."""

    def __init__(self, model: DAN, criterion: DANLoss):
        super().__init__()
        self.model, self.criterion = model, criterion

    def forward(self, x: Tensor, target: Tensor) -> dict[str, Tensor]:
        return self.criterion(self.model(x), target)


@dataclass
class Splits:
    """Training and validation samples, and which validation images [N] are also in training."""

    train: Samples
    val: Samples
    leaked: np.ndarray


def load_splits(config: TrainConfig) -> Splits:
    """Load both splits; with `drop_duplicates`, training loses its copies of validation images and of itself."""
    train = load_samples(config.dataset, config.data, "train", config.train_rule)
    val = load_samples(config.dataset, config.data, "val", config.val_rule)
    if train.classes != val.classes:
        raise ValueError(
            f"training has {len(train.classes)} classes ({', '.join(train.classes)}), validation {len(val.classes)} "
            f"({', '.join(val.classes)}); they must be the same"
        )
    if config.drop_duplicates:
        train = train.subset(~(duplicates_of(train, val) | redundant_copies(train)))
    if len(train) < config.batch_size:
        raise ValueError(
            f"{len(train)} training images are fewer than one batch of {config.batch_size}; lower --batch-size"
        )
    return Splits(train, val, duplicates_of(val, train))


class Trainer:
    """One run: everything that is built from the configuration, and what changes while it trains."""

    def __init__(self, config: TrainConfig, splits: Splits):
        from timm.utils import ModelEmaV3

        self.config, self.splits = config, splits
        self.device = choose_device(config.device)
        torch.manual_seed(config.seed)
        self.preprocessing = Preprocessing(config.crop_size, config.input_size, config.gray)
        classes = splits.train.classes
        backbone = create_backbone(config.backbone, find_weights(config.backbone_weights))
        model = DAN(backbone, len(classes), config.num_heads)
        criterion = DANLoss(len(classes), backbone.num_features, config.affinity, config.partition)
        self.objective = Objective(model, criterion).to(self.device, memory_format=torch.channels_last)
        self.frozen = find_modules(model, config.freeze)
        self.ema = ModelEmaV3(model, config.ema, use_warmup=True)
        self.train_loader = self._loader(splits.train, shuffle=True)
        self.val_loader = self._loader(splits.val, shuffle=False)
        self.optimizer = make_optimizer(model, criterion, config)
        self.schedule = make_schedule(self.optimizer, config, len(self.train_loader))
        self.step = torch.compile(self.objective) if config.compile else self.objective
        self.epoch = 0  # the next one
        self.best = -1.0

    def _loader(self, samples: Samples, shuffle: bool) -> DataLoader:
        augment = Augmentation(self.config.augmentation) if shuffle else None
        dataset = CropDataset(samples, self.preprocessing, augment, self.config.seed)
        workers = self.config.workers if shuffle else 0
        return make_loader(dataset, self.config.batch_size, shuffle=shuffle, workers=workers, device=self.device)

    def train_epoch(self) -> dict[str, float]:
        """One pass over the training data -> mean of each loss term, images per second."""
        self.objective.train()
        set_frozen(self.frozen, self.epoch < self.config.freeze_epochs)
        self.train_loader.sampler.epoch = self.epoch
        terms, start, seen = [], time.perf_counter(), 0
        bar = tqdm(
            self.train_loader, desc=f"epoch {self.epoch + 1}/{self.config.epochs}", unit="batch", dynamic_ncols=True
        )
        for i, (images, target) in enumerate(bar):
            losses = self._train_step(images, target)
            terms.append(torch.stack(list(losses.values())).detach())
            seen += len(images)
            if i % CHECK_EVERY == 0 or i == len(self.train_loader) - 1:
                names, rate = list(losses), seen / (time.perf_counter() - start)
                values = check_finite(names, torch.stack(terms[-CHECK_EVERY:]))
                bar.set_postfix({n: f"{v:.3f}" for n, v in values.items()} | {"images/s": f"{rate:.0f}"})
        means = torch.stack(terms).float().mean(0).tolist()
        return dict(zip(names, means)) | {"images_per_second": seen / (time.perf_counter() - start)}

    def _train_step(self, images: Tensor, target: Tensor) -> dict[str, Tensor]:
        x = self.preprocessing.normalize(images.to(self.device, non_blocking=True))
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.config.amp):
            losses = self.step(x, target.to(self.device, non_blocking=True))
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.objective.parameters(), self.config.clip)
        self.optimizer.step()
        self.schedule.step()
        self.ema.update(self.objective.model, step=self.schedule.last_epoch)
        return losses

    def validate(self) -> dict:
        """Figures of the averaged weights on validation, with and without images that are also in training."""
        logits, targets = predict(self.ema.module, self.val_loader, self.device, amp=self.config.amp)
        figures = summarize(logits, targets, self.splits.val.classes)
        clean = ~self.splits.leaked
        figures["accuracy_without_duplicates"] = accuracy(logits[clean], targets[clean])
        figures["n_without_duplicates"] = int(clean.sum())
        figures["rule"] = self.splits.val.rule
        figures["split"] = "val"
        return figures

    def describe(self, figures: dict) -> Description:
        """What the checkpoint says of itself."""
        template = np.reshape(self.config.template, (-1, 2)).tolist()
        return Description(
            backbone=self.config.backbone,
            num_heads=self.config.num_heads,
            classes=self.splits.train.classes,
            preprocessing=self.preprocessing,
            template=template,
            dataset=self.config.dataset,
            recipe=asdict(self.config),
            metrics=figures | {"epoch": self.epoch},
        )

    def state(self) -> dict:
        """All that a resumed run needs."""
        return {
            "objective": self.objective.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "epoch": self.epoch,
            "best": self.best,
        }

    def load_state(self, state: dict) -> None:
        self.objective.load_state_dict(state["objective"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"])
        self.epoch, self.best = state["epoch"], state["best"]


def check_finite(names: list[str], values: Tensor) -> dict[str, float]:
    """Loss terms of some steps [steps, terms] -> those of the last step.

    Raises:
        NonFiniteLoss: naming the term that was NaN or infinite first.
    """
    for row in values.tolist():
        for name, value in zip(names, row):
            if not np.isfinite(value):
                raise NonFiniteLoss(
                    f"the loss term {name} is {value}; lower --lr, raise --warmup-epochs, or try --no-amp"
                )
    return dict(zip(names, row))


def find_weights(name: str) -> str | None:
    """A weights file by path, or by name in the folders where downloads are kept.

    Raises:
        ValueError: not found; says where it was looked for.
    """
    if not name or name == "timm":
        return name or None
    places = [Path(name), *(folder / name for folder in (Path("pretrained"), Path("../shared/pretrained")))]
    for path in places:
        if path.is_file():
            return str(path)
    raise ValueError(
        f"--backbone-weights {name}: no such file; looked for {', '.join(map(str, places))}. Put it there, give its "
        "path, or train from random values with --backbone-weights ''"
    )


def fit(config: TrainConfig) -> dict:
    """Train as `config` says, into the folder `config.out`; returns the figures of the best epoch.

    The folder holds `config.yaml`, `environment.json`, `history.jsonl` (a line per epoch), TensorBoard events,
    `last.pt` (to resume) and `best.safetensors` (the checkpoint that validation chose: the averaged weights of the
    epoch with the highest accuracy on validation images that are not in training).

    Raises:
        ValueError: the configuration or the data are wrong; raised before any work.
        NonFiniteLoss: a loss term became NaN or infinite.
    """
    if not config.data or not config.out:
        raise ValueError("--data (the folder of the dataset) and --out (the folder of the run) are needed")
    out = Path(config.out)
    if (out / "last.pt").exists() and not config.resume:
        raise ValueError(f"{out} holds a run already: add --resume to go on with it, or choose another --out")
    splits = load_splits(config)
    trainer = Trainer(config, splits)
    if config.resume and (out / "last.pt").exists():
        check_same_run(config, out)
        trainer.load_state(load_training_state(out / "last.pt"))
        log.info("resumed %s after epoch %d", out, trainer.epoch)
    start_run(config, splits, out)
    return run(trainer, out)


def check_same_run(config: TrainConfig, out: Path) -> None:
    """A resumed run must be the same run. Raises ValueError naming the fields that differ."""
    import yaml

    saved, now = yaml.safe_load((out / "config.yaml").read_text()), asdict(config)
    free = {"resume", "out", "data", "workers", "device", "compile", "amp"}
    if changed := [f"{k} ({saved[k]} -> {now[k]})" for k in saved if k not in free and saved[k] != now.get(k)]:
        raise ValueError(f"--resume: {out} was started with other settings: {', '.join(changed)}")


def start_run(config: TrainConfig, splits: Splits, out: Path) -> None:
    """Write what the run is, and say what it trains on."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.yaml").write_text(config.to_yaml())
    environment = {"python": platform.python_version(), "torch": torch.__version__, "machine": platform.machine()}
    (out / "environment.json").write_text(json.dumps(environment | {"threads": torch.get_num_threads()}, indent=2))
    log.info("train %d images %s", len(splits.train), splits.train.counts())
    log.info("val %d images %s, %d of them also in train", len(splits.val), splits.val.counts(), splits.leaked.sum())


def run(trainer: Trainer, out: Path) -> dict:
    """The epochs that are left; after each, validate, log and save."""
    from torch.utils.tensorboard import SummaryWriter

    best = out / "best.safetensors"
    with SummaryWriter(str(out / "tensorboard")) as board:
        while trainer.epoch < trainer.config.epochs:
            train_figures = trainer.train_epoch()
            trainer.epoch += 1
            val_figures = trainer.validate()
            write_scalars(board, trainer, train_figures, val_figures)
            if val_figures["accuracy_without_duplicates"] > trainer.best:
                trainer.best = val_figures["accuracy_without_duplicates"]
                save_checkpoint(best, trainer.ema.module, trainer.describe(val_figures))
            write_atomically(out / "last.pt", lambda path: torch.save(trainer.state(), path))
            line = {"epoch": trainer.epoch} | train_figures | {f"val_{k}": v for k, v in val_figures.items()}
            with open(out / "history.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
            log.info(
                "epoch %d: validation accuracy %.2f %%, without duplicates %.2f %% (best %.2f %%)",
                trainer.epoch,
                100 * val_figures["accuracy"],
                100 * val_figures["accuracy_without_duplicates"],
                100 * trainer.best,
            )
    return read_description(best).metrics


def write_scalars(board, trainer: Trainer, train_figures: dict, val_figures: dict) -> None:
    for name, value in train_figures.items():
        board.add_scalar(f"train/{name}", value, trainer.epoch)
    for name in ("accuracy", "accuracy_without_duplicates", "balanced_accuracy", "negative_log_likelihood"):
        board.add_scalar(f"val/{name}", val_figures[name], trainer.epoch)
    board.add_scalar("lr", trainer.schedule.get_last_lr()[-1], trainer.epoch)
