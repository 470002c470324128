"""NaN and infinity end a run, by name."""

import numpy as np
import pytest
import torch

from fer.data import load_samples
from fer.training.finite import NonFiniteLoss, NonFiniteNetwork, check_finite, check_network
from fer.training.loop import fit
from fer.training.splits import Splits
from fer.training.trainer import Trainer
from runs import history, tiny_config


def test_a_non_finite_loss_stops_with_the_name_of_its_term(ferplus_tree, tmp_path):
    with pytest.raises(NonFiniteLoss, match="the loss term affinity is inf"):
        fit(tiny_config(ferplus_tree, tmp_path / "run", affinity=1e300))
    assert not (tmp_path / "run" / "best.safetensors").exists()


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([[1.0, 2.0], [float("nan"), 2.0]], "a"),
        ([[1.0, float("inf")], [float("nan"), float("nan")]], "b"),  # what came first is named
    ],
)
def test_the_first_term_to_fail_is_named(rows, name):
    with pytest.raises(NonFiniteLoss, match=f"term {name} is"):
        check_finite(["a", "b"], torch.tensor(rows))


@pytest.mark.parametrize("where", ["weight", "statistics", "centres"])
def test_a_network_that_is_not_finite_ends_the_run(ferplus_tree, tmp_path, where):
    """The last steps of an epoch may destroy what its losses did not show; the epoch before stays."""
    out = tmp_path / "run"

    def destroy(trainer: Trainer) -> None:
        saved.append((out / "best.safetensors").read_bytes())
        model = trainer.objective.model
        tensor = {
            "weight": model.classifier.weight,
            "statistics": model.norm.running_var,
            "centres": trainer.objective.criterion.centres,
        }[where]
        train_epoch = trainer.train_epoch

        def then_destroy() -> dict[str, float]:
            figures = train_epoch()
            tensor.data.fill_(float("nan"))
            return figures

        trainer.train_epoch = then_destroy

    saved, name = [], {"weight": "classifier.weight", "statistics": "norm.running_var", "centres": "centres"}[where]
    with pytest.raises(NonFiniteNetwork, match=f"{name} is not finite after epoch 2"):
        fit(tiny_config(ferplus_tree, out), on_epoch=destroy)
    assert len(history(out)) == 1 and (out / "best.safetensors").read_bytes() == saved[0]


def test_logits_that_are_not_finite_end_the_run(ferplus_tree, tmp_path):
    """Finite weights, whose product is not."""
    train = load_samples("ferplus", ferplus_tree, "train")
    config = tiny_config(ferplus_tree, tmp_path / "run", affinity=0.0, ema=0.0)
    trainer = Trainer(config, Splits(train, train, np.zeros(16, bool)))
    trainer.ema.module.classifier.weight.data.fill_(1e38)
    trainer.objective.model.classifier.weight.data.fill_(1e38)
    with pytest.raises(NonFiniteNetwork, match="logits of 16 of 16 validation images are not finite after epoch 1"):
        trainer.validate()


def test_a_finite_network_passes():
    check_network({"a": torch.zeros(2), "steps": torch.tensor(3)}, 1)
    check_network({}, 1)
