"""One training run in memory: network, data, optimiser; an epoch, a validation, its state."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from ..data import Samples
from ..data.loader import CropDataset, make_loader
from ..data.transforms import Augmentation
from ..device import choose_device
from ..errors import FerError
from ..evaluation.metrics import predict, summarize, without_duplicates
from ..losses import DANLoss
from ..models.backbone import create_backbone
from ..models.checkpoint import Description, find_checkpoint, load_matching
from ..models.dan import DAN
from ..preprocessing import Preprocessing
from .config import TrainConfig
from .optimizer import find_modules, make_optimizer, make_schedule, set_frozen
from .splits import Splits

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
        if config.init_weights:
            kept = load_matching(model, find_checkpoint(config.init_weights))
            log.info("went on from %s; new values: %s", config.init_weights, ", ".join(kept) or "none")
        check_input_size(model, config)
        criterion = DANLoss(len(classes), backbone.num_features, config.affinity, config.partition, config.overlap)
        self.objective = Objective(model, criterion).to(self.device, memory_format=torch.channels_last)
        self.frozen = find_modules(model, config.freeze)
        self.ema = ModelEmaV3(model, config.ema, use_warmup=True)
        self.train_loader = self._loader(splits.train, shuffle=True)
        self.val_loader = self._loader(splits.val, shuffle=False)
        self.optimizer = make_optimizer(model, criterion, config)
        self.schedule = make_schedule(self.optimizer, config, len(self.train_loader))
        self.step = torch.compile(self.objective) if config.compile else self.objective
        self.history: list[dict] = []  # figures of each epoch that is done

    @property
    def epoch(self) -> int:
        """Epochs that are done."""
        return len(self.history)

    @property
    def best(self) -> float:
        """The highest score so far."""
        return max((figures["val_score"] for figures in self.history), default=-1.0)

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
        figures |= without_duplicates(logits, targets, self.splits.leaked)
        score = "accuracy_without_duplicates" if figures["n_without_duplicates"] else "accuracy"
        return figures | {
            "score": figures[score],  # what chooses the checkpoint
            "dataset": self.config.dataset,
            "split": "val",
            "rule": self.splits.val.rule,
        }

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
            metrics=figures,
        )

    def state(self) -> dict:
        """All that a resumed run needs."""
        return {
            "objective": self.objective.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "history": self.history,
        }

    def load_state(self, state: dict) -> None:
        self.objective.load_state_dict(state["objective"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"])
        self.history = state["history"]


@torch.no_grad()
def check_input_size(model: DAN, config: TrainConfig) -> None:
    """Raises ValueError where the backbone cannot take images of the configured size."""
    try:
        model.eval()(torch.zeros(1, 3, config.input_size, config.input_size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"--backbone {config.backbone} does not take --input-size {config.input_size}: {error}"
        ) from None


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
    places = [Path(name), Path("pretrained") / name, Path("../shared/pretrained") / name]
    for path in places:
        if path.is_file():
            return str(path)
    raise ValueError(
        f"--backbone-weights {name}: no such file; looked for {', '.join(map(str, places))}. Put it there, give its "
        "path, or train from random values with --backbone-weights ''"
    )
