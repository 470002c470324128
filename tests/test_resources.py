"""Files that come with the package, by their names."""

import pytest

from fer.resources import DEFAULT_WEIGHTS, find_checkpoint, find_weights, list_weights, resource_folder


def test_the_shipped_files_are_there():
    assert DEFAULT_WEIGHTS in list_weights()
    assert (resource_folder("samples") / "astronaut.jpg").is_file() and any(resource_folder("recipes").glob("*.yaml"))


def test_shipped_weights_by_their_name():
    """The ONNX file is taken first, and the checkpoint where PyTorch is to load it."""
    assert find_weights(DEFAULT_WEIGHTS).name == f"{DEFAULT_WEIGHTS}.onnx"
    assert find_checkpoint(DEFAULT_WEIGHTS).name == f"{DEFAULT_WEIGHTS}.safetensors"


def test_a_file_by_its_path(tiny_checkpoint, tiny_graph):
    assert find_weights(str(tiny_graph)) == tiny_graph
    assert find_checkpoint(tiny_checkpoint) == tiny_checkpoint


@pytest.mark.parametrize(
    ("weights", "find", "message"),
    [
        ("nothing", find_weights, f"no weights 'nothing'; shipped: {DEFAULT_WEIGHTS}; or give the path of a .onnx or"),
        ("nothing", find_checkpoint, f"no weights 'nothing'; shipped: {DEFAULT_WEIGHTS}; .* a .safetensors file"),
        ("", find_weights, "no weights ''"),
        ("gone.onnx", find_weights, "gone.onnx: no such file"),
        ("ONNX", find_checkpoint, "tiny.onnx: expected a .safetensors file"),
    ],
)
def test_weights_that_are_not_there(tiny_graph, weights, find, message):
    with pytest.raises(ValueError, match=message):
        find(tiny_graph if weights == "ONNX" else weights)
