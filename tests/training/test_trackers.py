"""Trackers, with modules that stand in for their packages and note what they are given."""

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

from fer.training.loop import fit
from fer.training.trackers import tracked
from runs import history, interrupt, tiny_config


class Calls(list):
    """What the packages were given, in order; calls named in `fail` raise an error."""

    def __init__(self):
        self.fail: set[str] = set()

    def note(self, name: str, *values):
        if name in self.fail:
            raise RuntimeError(f"no server for {name}")
        self.append((name, *values))

    def of(self, name: str) -> list:
        return [call[1:] for call in self if call[0] == name]


@pytest.fixture
def calls(monkeypatch) -> Calls:
    noted = Calls()
    for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_ERROR_REPORTING", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "set before")
    for name, content in (("wandb", fake_wandb(noted)), ("mlflow", fake_mlflow(noted))):
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return noted


def fake_wandb(noted: Calls) -> dict:
    def init(**options):
        noted.note("start", options["mode"], options["name"], options["config"], options["id"], options["project"])
        return SimpleNamespace(
            id=options["id"] or "new",
            log=lambda figures, step: noted.note("log", step, figures),
            finish=lambda exit_code: noted.note("finish", bool(exit_code)),
        )

    return {"init": init, "Settings": dict}


def fake_mlflow(noted: Calls) -> dict:
    class Client:
        def __init__(self, tracking_uri):
            noted.note("uri", tracking_uri)

        def get_experiment_by_name(self, name):
            return SimpleNamespace(experiment_id="7") if name == "known" else None

        def create_experiment(self, name):
            return f"of {name}"

        def create_run(self, experiment, run_name):
            noted.note("start", experiment, run_name)
            return SimpleNamespace(info=SimpleNamespace(run_id="new"))

        def log_batch(self, run, metrics=(), params=()):
            if params:
                noted.note("params", dict(params))
            if metrics:
                (step,) = {metric[3] for metric in metrics}
                noted.note("log", step, {metric[0]: metric[1] for metric in metrics})

        def set_terminated(self, run, status):
            noted.note("finish", status == "FAILED")

    entities = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)
    return {"MlflowClient": Client, "entities": entities}


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_gets_the_figures_of_each_epoch(ferplus_tree, tmp_path, calls, name):
    """Those in TensorBoard; a resumed run goes on in the same tracked run."""
    run, free = tmp_path / "run", {"track": [name], "backbone": "mobilefacenet-128"}
    fit(tiny_config(ferplus_tree, run, minutes=1e-6, **free))
    fit(tiny_config(ferplus_tree, run, resume=True, **free))
    assert [step for step, _ in calls.of("log")] == [1, 2]
    for (_, figures), line in zip(calls.of("log"), history(run)):
        assert {"train/cross_entropy", "train/lr", "val/accuracy", "val/score"} <= figures.keys()
        assert figures["val/accuracy"] == line["val_accuracy"] and figures["train/affinity"] == line["affinity"]
    assert calls.of("finish") == [(False,), (False,)]
    assert json.loads((run / "trackers.json").read_text()) == {name: "new"}
    starts = calls.of("start")
    if name == "wandb":
        assert [(mode, title, id) for mode, title, _, id, _ in starts] == [
            ("offline", str(run), None),
            ("offline", str(run), "new"),
        ]
        assert starts[0][2]["epochs"] == 2
    else:
        assert starts == [("of dan-fer", str(run))] and calls.of("params")[0][0]["epochs"] == "2"
        assert {uri for (uri,) in calls.of("uri")} == {f"sqlite:///{run / 'mlflow.db'}"}


def test_variables_of_the_trackers_go_first(tmp_path, calls, monkeypatch):
    values = {"WANDB_MODE": "online", "WANDB_PROJECT": "p", "MLFLOW_TRACKING_URI": "http://here"}
    for name, value in (values | {"MLFLOW_EXPERIMENT_NAME": "known"}).items():
        monkeypatch.setenv(name, value)
    with tracked(tiny_config(tmp_path, tmp_path, track=["wandb", "mlflow"]), resumed=False):
        pass
    (by_wandb, by_mlflow) = calls.of("start")
    assert (by_wandb[0], by_wandb[-1]) == ("online", "p")
    assert by_mlflow[0] == "7" and calls.of("uri") == [("http://here",)]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
@pytest.mark.parametrize(("broken", "finished"), [("start", []), ("log", [(False,)]), ("finish", [])])
def test_a_tracker_that_fails_costs_no_epoch(tmp_path, calls, caplog, name, broken, finished):
    calls.fail = {broken}
    trainer = SimpleNamespace(epoch=1, history=[{"loss": 0.5}], schedule=SimpleNamespace(get_last_lr=lambda: [0.1]))
    called = []
    with tracked(tiny_config(tmp_path, tmp_path, track=[name]), False, called.append) as on_epoch:
        on_epoch(trainer)
        on_epoch(trainer)
    assert called == [trainer, trainer] and calls.of("finish") == finished
    said = f"--track {name} failed (no server for {broken}); the training goes on"
    assert caplog.messages == [said] * (2 if broken == "log" else 1)


def test_an_interrupted_run_has_failed(ferplus_tree, tmp_path, calls):
    config = tiny_config(ferplus_tree, tmp_path / "run", track=["wandb", "mlflow"])
    with pytest.raises(KeyboardInterrupt):
        fit(config, interrupt)
    assert calls.of("finish") == [(True,), (True,)]
    assert [step for step, _ in calls.of("log")] == [1, 1]


@pytest.mark.parametrize(
    ("track", "message"),
    [
        (["wandb"], "--track wandb needs the package wandb: pip install wandb"),
        (["mlflow", "wandb"], "--track mlflow needs the package mlflow: pip install mlflow"),
        (["tensorbord"], "--track: unknown tracker 'tensorbord'; choose from wandb, mlflow"),
    ],
)
def test_what_is_missing_is_told_before_any_work(ferplus_tree, tmp_path, monkeypatch, track, message):
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=message):
        fit(tiny_config(ferplus_tree, tmp_path / "run", track=track))
    assert not (tmp_path / "run").exists()
