"""Fine-tuning of the whole network on labelled photos, from a fitted classifier; needs PyTorch (extra `train`)."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ..data import Samples
from ..description import Description
from ..inference.classifier import FaceClassifier
from ..models.checkpoint import save_checkpoint
from ..models.dan import DAN
from ..models.export import export_onnx
from ..runtimes.torch_network import TorchNetwork
from ..terminal import log_at
from ..training.config import TrainConfig, load_recipe
from ..training.splits import Splits
from ..training.trainer import Trainer
from .checkpoint import write_fitted
from .classifier import fit_classifier, make_folds
from .faces import LabelledFaces

log = logging.getLogger("fer")


class Finetuning:
    """Fine-tunes a network by the recipe `finetune`.

    Args:
        base: the files of the network, see `find_base`.
        description: of the network.
        faces: the photos; the classifier from which training starts is fitted to their embeddings.
    """

    def __init__(self, base: tuple[Path, Path], description: Description, faces: LabelledFaces):
        self.base, self.faces = base, faces
        # The photos have no valence and arousal.
        self.description = replace(description, classes=faces.classes, class_shares={}, prior="trained", va=False)

    def cross_validate(self) -> np.ndarray:
        """The logits [N,C] of each face by a network that was trained without the faces of its fold."""
        faces, logits = self.faces, np.full((len(self.faces.labels), len(self.faces.classes)), np.nan, np.float32)
        folds = list(make_folds(faces.labels, faces.groups))
        for number, (train, test) in enumerate(folds, 1):
            log.info("fine-tuning for part %d of %d", number, len(folds))
            model = self.train(train)
            network = TorchNetwork(model.fold(), self.description.preprocessing, "cpu")
            logits[test] = predict_logits(FaceClassifier(network, self.description), faces.samples.subset(test))
        return logits

    def train(self, rows: np.ndarray) -> DAN:
        """Train on the faces at `rows`, for all epochs of the recipe."""
        faces = self.faces
        samples = faces.samples.subset(rows)
        classifier = fit_classifier(faces.embeddings[rows], faces.labels[rows], faces.groups[rows])
        with tempfile.TemporaryDirectory() as folder, log_at(log, logging.WARNING):
            start = Path(folder) / "start.safetensors"
            write_fitted(self.base, classifier, self.description, start)
            # The second split is not used: the last epoch counts.
            trainer = Trainer(self._configure(start, len(rows)), Splits(samples, samples, np.zeros(len(rows), bool)))
        for _ in range(trainer.config.epochs):
            trainer.history.append(trainer.train_epoch())
        return trainer.ema.module.cpu().eval()

    def _configure(self, start: Path, images: int) -> TrainConfig:
        """The recipe, for the network at hand."""
        d, recipe = self.description, load_recipe("finetune")
        values = asdict(d.preprocessing) | {name: getattr(d, name) for name in ("backbone", "num_heads", "attention")}
        values |= {name: np.ravel(values[name]).tolist() for name in ("mean", "std")}
        values |= {"fusion": d.fusion, "template": np.ravel(d.template).tolist(), "init_weights": str(start)}
        return TrainConfig(**recipe | values | {"batch_size": max(2, min(recipe["batch_size"], images))})

    def write(self, description: Description, out: Path) -> None:
        """Train on all faces; write the checkpoint to `out` (.safetensors), and an ONNX file beside it."""
        log.info("fine-tuning on all photos")
        save_checkpoint(out, self.train(np.arange(len(self.faces.labels))), replace(description, va=False))
        export_onnx(out, out.with_suffix(".onnx"))


def predict_logits(classifier: FaceClassifier, samples: Samples) -> np.ndarray:
    """The logits [N,C] of the faces of `samples`, cut out as in inference."""
    inputs = []
    for i in range(len(samples)):
        image = samples.read(i)
        crops = [image] if samples.boxes is None else classifier.cut(image, samples.detection(i, image))
        inputs.append([classifier.preprocessing.prepare(crop) for crop in crops])
    return classifier.run_faces(inputs).logits
