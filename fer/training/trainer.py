"""The trainer: one run in memory, with its network, data and optimiser."""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from ..data import Samples
from ..data.loader import CropDataset, EpochSampler, draw_weights, inverse_frequency, make_loader
from ..data.transforms import Augmentation
from ..device import autocast, choose_device, has_bfloat16, has_compiler, peak_megabytes
from ..distributed import mean_over_processes, rank, synchronise_batch_norm, world_size
from ..evaluation.affect import summarize_va
from ..evaluation.metrics import accuracy, predict, summarize, summarize_attention, without_duplicates
from ..losses import DANLoss
from ..models.checkpoint import Description
from ..models.dan import DAN
from ..models.inputs import normalize
from ..preprocessing import Preprocessing
from ..registry import parse_losses
from ..runtimes.torch_network import TorchNetwork
from ..terminal import progress
from .config import TrainConfig
from .degrading import degrade
from .distillation import Teachers
from .finite import check_finite, check_logits, check_network
from .mixing import make_mixing
from .model import build_model, find_licence, find_outside
from .optimizer import find_frozen, make_optimizer, make_schedule, set_frozen, sharpest_neighbour
from .selection import best_epoch, score
from .splits import Splits, measure_class_shares, name_sources, steps_per_epoch

log = logging.getLogger("fer")
CHECK_EVERY = 10  # steps between checks that the loss is finite; each check waits for the device


class Objective(nn.Module):
    """Network and criterion as one module, because both have learnt parameters."""

    def __init__(self, model: DAN, criterion: DANLoss):
        super().__init__()
        self.model, self.criterion = model, criterion

    def forward(self, x: Tensor, target: Tensor, taught: Tensor | None = None) -> dict[str, Tensor]:
        """The weighted loss terms of normalised images [N,3,H,W] and their targets, see `DANLoss`."""
        return self.criterion(self.model(x), target, taught)


class Trainer:
    """One training run: builds all its parts from the configuration, trains epochs and validates.

    Raises:
        ValueError: see `build_model`, `Teachers`, `find_frozen`, `steps_per_epoch`.
    """

    def __init__(self, config: TrainConfig, splits: Splits):
        from timm.utils import ModelEmaV3

        self.config, self.splits = config, splits
        self.device = choose_device(config.device)
        if config.amp and not has_bfloat16(self.device):
            log.info("--amp is not used: this CPU only emulates bfloat16; training in float32")
        self.compile = config.compile and has_compiler(self.device)
        if config.compile and not self.compile:
            log.warning(
                "--compile is not used: no C++ compiler was found (g++, or the one that CXX names); steps are slower"
            )
        torch.manual_seed(config.seed)
        self.preprocessing = make_preprocessing(config)
        model, self.licence = build_model(config, splits.train.classes), find_licence(config)
        self.teachers = self._load_teachers()
        criterion = DANLoss(
            len(splits.train.classes),
            model.backbone.num_features,
            config.affinity,
            config.partition,
            config.overlap,
            config.distill if self.teachers else 0.0,
            config.distill_temperature,
            torch.from_numpy(inverse_frequency(splits.train.targets)) if config.class_weights else None,
            config.label_smoothing,
            config.va_weight if config.va else 0.0,
            further=parse_losses(config.loss),
            outside=config.outside,
            outside_positions=find_outside(model, config),
        )
        self.objective = Objective(model, criterion).to(self.device).to(memory_format=torch.channels_last)
        self.ema = ModelEmaV3(model, config.ema, use_warmup=True)
        self.mix = make_mixing(config.mixup, config.cutmix)
        self.train_loader = self._loader(splits.train, shuffle=True)
        self.val_loader = self._loader(splits.val, shuffle=False)
        self.steps_per_epoch = steps_per_epoch(config, len(splits.train))
        self.optimizer = make_optimizer(model, criterion, config)
        self.schedule = make_schedule(self.optimizer, config, self.steps_per_epoch)
        self.frozen = find_frozen(model, config.freeze)
        if world_size() > 1:
            synchronise_batch_norm(self.objective)
        self.history: list[dict] = []  # figures of each finished epoch
        self._trainable: list[bool] | None = None  # of each parameter: it is not frozen

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def best(self) -> float:
        """The validation score of the best epoch so far, 0 to 1; -1 before the first epoch."""
        return self.history[best_epoch(self.history, self.config.select)]["val_score"] if self.history else -1.0

    def _load_teachers(self) -> Teachers | None:
        c = self.config
        if not c.teachers:
            return None
        teachers = Teachers(c.teachers, self.splits.train.classes, self.preprocessing, c.distill_temperature)
        teachers.to(self.device).to(memory_format=torch.channels_last)
        if self.compile:
            teachers.compile()
        return teachers

    def _loader(self, samples: Samples, shuffle: bool) -> DataLoader:
        c = self.config
        augment = Augmentation(c.augmentation) if shuffle else None
        template = np.reshape(c.template, (-1, 2))
        dataset = CropDataset(samples, self.preprocessing, template, augment, c.seed, c.cache, c.va and shuffle)
        shares = dict(zip(name_sources(c), c.shares))
        weights, workers = (draw_weights(samples, c.balanced, shares), c.workers) if shuffle else (None, 0)
        return make_loader(dataset, c.batch_size, shuffle=shuffle, weights=weights, workers=workers, device=self.device)

    def train_epoch(self) -> dict[str, float]:
        """Train one epoch; returns the mean of each loss term, seconds, images per second and peak memory.

        Raises:
            NonFiniteLoss: a loss term is NaN or infinite.
        """
        self._prepare_epoch()
        size, accumulate = self.config.batch_size * world_size(), self.config.accumulate
        batches, terms, start = iter(self.train_loader), [], time.perf_counter()
        title = f"epoch {self.epoch + 1}/{self.config.epochs}"
        bar = progress(range(self.steps_per_epoch), desc=title, unit="step", disable=rank() > 0)
        for step in bar:
            losses = self._train_step(list(islice(batches, accumulate)))
            terms.append(torch.stack(list(losses.values())))
            if step % CHECK_EVERY == 0 or step == self.steps_per_epoch - 1:
                names, rate = list(losses), (step + 1) * size * accumulate / (time.perf_counter() - start)
                values = check_finite(names, torch.stack(terms[-CHECK_EVERY:]))
                bar.set_postfix({n: f"{v:.3f}" for n, v in values.items()} | {"images/s": f"{rate:.0f}"}, refresh=False)
        means = mean_over_processes(torch.stack(terms).float().mean(0))
        return dict(zip(names, means.tolist())) | {
            "seconds": time.perf_counter() - start,
            "images_per_second": rate,
            "peak_megabytes": peak_megabytes(self.device),
        }

    def _prepare_epoch(self) -> None:
        """Set modes and frozen modules for the epoch; wrap the objective anew if the frozen modules change."""
        assert isinstance(self.train_loader.sampler, EpochSampler)
        self.train_loader.sampler.epoch = self.epoch
        self.objective.train()
        set_frozen([module for module, epochs in self.frozen if self.epoch >= epochs], False)
        set_frozen([module for module, epochs in self.frozen if self.epoch < epochs], True)
        trainable = [p.requires_grad for p in self.objective.parameters()]
        if trainable != self._trainable:
            self._trainable = trainable
            self.parallel = DistributedDataParallel(self.objective) if world_size() > 1 else self.objective
            self.run = torch.compile(self.parallel) if self.compile else self.parallel

    def _train_step(self, batches: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """One optimiser step on the batches of --accumulate; returns the mean loss terms."""
        inputs = [self._prepare(*batch) for batch in batches]
        self.optimizer.zero_grad()
        losses = self._backward(inputs)
        if self.config.sam:
            with sharpest_neighbour(self.objective, self.config.sam):
                self._backward(inputs)
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.objective.parameters(), self.config.clip)
        self.optimizer.step()
        self.schedule.step()
        self.ema.update(self.objective.model, step=self.schedule.last_epoch)
        return losses

    def _prepare(self, images: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """A batch of the loader -> the arguments of the objective, on the device."""
        x = normalize(images.to(self.device, non_blocking=True), self.preprocessing)
        x, target = self.mix(x, target.to(self.device, non_blocking=True))
        taught = None
        if self.teachers is not None:
            with autocast(self.device, self.config.amp):
                taught = self.teachers(x)
        return degrade(x, self.config.degrade, self.preprocessing.crop_size), target, taught

    def _backward(self, inputs: list[tuple]) -> dict[str, Tensor]:
        """Add the gradient of the mean loss over `inputs`; returns the mean loss terms."""
        terms = []
        for i, batch in enumerate(inputs):
            unsynced = world_size() > 1 and i < len(inputs) - 1  # processes exchange gradients after the last batch
            with self.parallel.no_sync() if unsynced else nullcontext():  # type: ignore[operator]
                with autocast(self.device, self.config.amp):
                    losses = self.run(*batch)
                (sum(losses.values()) / len(inputs)).backward()
            terms.append({name: value.detach() for name, value in losses.items()})
        return {name: sum(t[name] for t in terms) / len(terms) for name in terms[0]}

    def validate(self) -> dict:
        """Measure the averaged weights on validation, with and without the images that are also in training.

        Returns:
            the figures of `summarize`, `without_duplicates`, `summarize_attention` and `summarize_va`; `score`, which
            chooses the best epoch; and the accuracy of each of several datasets.

        Raises:
            NonFiniteNetwork: a weight, a batch statistic or a logit is NaN or infinite.
        """
        check_network(self.objective.state_dict() | self.ema.module.state_dict(), self.epoch + 1)
        precision = "bfloat16" if self.config.amp else "float32"
        network = TorchNetwork(self.ema.module, self.preprocessing, self.device, precision)
        logits, targets, attention, va = predict(network, self.val_loader)
        check_logits(logits, self.epoch + 1)
        figures = asdict(summarize(logits, targets, self.splits.val.classes))
        figures |= without_duplicates(logits, targets, self.splits.leaked)
        for name in name_sources(self.config):
            rows = np.flatnonzero(self.splits.val.sources == name)
            if len(rows):
                figures[f"accuracy_{name}"] = accuracy(logits[rows], targets[rows])
        return (
            figures
            | asdict(summarize_attention(attention))
            | summarize_va(va, self.splits.val.va)
            | {
                "score": score(logits, targets, self.splits.leaked, self.config.select),
                "dataset": self.config.dataset,
                "split": "val",
                "rule": self.splits.val.rule,
            }
        )

    def describe(self, figures: dict) -> Description:
        """The description of the checkpoint, with its validation figures."""
        template = np.reshape(self.config.template, (-1, 2)).tolist()
        return Description(
            backbone=self.config.backbone,
            num_heads=self.config.num_heads,
            attention=self.config.attention,
            fusion=self.config.fusion,
            va=self.config.va,
            classes=self.splits.train.classes,
            preprocessing=self.preprocessing,
            template=template,
            class_shares=measure_class_shares(self.config, self.splits.train),
            dataset=self.config.dataset,
            recipe=asdict(self.config),
            metrics=figures,
            licence=self.licence,
        )

    def state(self) -> dict:
        """The state that is needed to resume the run."""
        return {
            "objective": self.objective.state_dict(),
            "ema": self.ema.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "rng": torch.get_rng_state(),
            "history": self.history,
        }

    def load_state(self, state: dict) -> None:
        """Restore a state that `state` returned."""
        self.objective.load_state_dict(state["objective"])
        self.ema.module.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["rng"])
        self.history = state["history"]


def make_preprocessing(config: TrainConfig) -> Preprocessing:
    """The preprocessing that the configuration describes."""
    mean, std = (
        values[0] if len(values) == 1 else (values[0], values[1], values[2]) for values in (config.mean, config.std)
    )
    return Preprocessing(config.crop_size, config.input_size, config.gray, mean, std, config.interpolation)
