"""The networks that are measured."""

from fer.benchmark import networks
from fer.resources import DEFAULT_WEIGHTS
from fer.runtimes.networks import load_network

OURS = ["openvino float32", "onnxruntime float32", "torch float32"]


def test_bfloat16_where_the_machine_computes_with_it(monkeypatch, tiny_checkpoint):
    for place in ("fer.device", "fer.benchmark.networks"):
        monkeypatch.setattr(f"{place}.has_bfloat16", lambda device: True)
    first, _ = load_network(tiny_checkpoint)
    found = networks.load_networks(tiny_checkpoint, first, threads=1)
    assert [networks.name_network(network) for network in found] == ["torch float32", "torch bfloat16"]


def test_what_prediction_takes_comes_first_and_once():
    first, _ = load_network(DEFAULT_WEIGHTS, runtime="onnxruntime")
    found = networks.load_networks(DEFAULT_WEIGHTS, first, threads=1)
    assert found[0] is first
    names = [networks.name_network(network) for network in found]
    assert len(set(names)) == len(names) and set(OURS) <= set(names)
