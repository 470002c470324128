import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from fer.models.backbone import create_backbone, find_grid
from fer.models.checkpoint import load_checkpoint


@pytest.mark.parametrize(
    ("name", "size", "shape"),
    [
        ("mobilefacenet", 112, (2, 512, 7, 7)),
        ("resnet18", 64, (2, 512, 2, 2)),  # the paper's
        ("mobilenetv3_small_050", 64, (2, 288, 2, 2)),  # any other name of timm
        ("swin_tiny_patch4_window7_224", 224, (2, 768, 7, 7)),  # channels last inside
    ],
)
def test_features(name, size, shape):
    backbone = create_backbone(name)
    features = backbone.features(torch.randn(2, 3, size, size))
    assert tuple(features.shape) == shape
    assert backbone.num_features == shape[1]


def test_an_unknown_name():
    with pytest.raises(ValueError, match=r"'resnet1888'.*mobilefacenet, mobilefacenet-128 or a name from timm"):
        create_backbone("resnet1888")


def test_timm_has_no_mobilefacenet():
    with pytest.raises(ValueError, match="timm has no weights for mobilefacenet"):
        create_backbone("mobilefacenet", "timm")


def test_own_weights_load_again(tmp_path):
    backbone = create_backbone("mobilefacenet")
    save_file(backbone.state_dict(), tmp_path / "own.safetensors")
    again = create_backbone("mobilefacenet", tmp_path / "own.safetensors")
    torch.testing.assert_close(again.state_dict(), backbone.state_dict())


def test_the_backbone_of_a_checkpoint_is_taken_out_of_it(tiny_checkpoint):
    backbone = create_backbone("mobilefacenet", tiny_checkpoint)
    model, _ = load_checkpoint(tiny_checkpoint)
    torch.testing.assert_close(backbone.state_dict(), model.backbone.state_dict())


def test_weights_that_do_not_fit(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"other.safetensors does not fit the backbone mobilefacenet"):
        create_backbone("mobilefacenet", tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("suffix", "wrap"),
    [
        (".pth", lambda state: {"epoch": 3, "state_dict": state}),  # as resnet18_msceleb.pth
        (".pt", lambda state: state),
        (".tar", lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}}),
    ],
)
def test_torch_files_with_torchvision_names(tmp_path, suffix, wrap):
    source = resnet18(num_classes=5).eval()
    torch.save(wrap(source.state_dict()), tmp_path / f"faces{suffix}")
    backbone = create_backbone("resnet18", tmp_path / f"faces{suffix}").eval()
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(backbone.features(x).mean((2, 3)) @ source.fc.weight.T + source.fc.bias, source(x))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no torch file", "faces.pth: not a torch file of tensors and plain values"),
        ({"epoch": 3}, "faces.pth: no weights in it; expected a dict of tensors 'state_dict'"),
        ({"state_dict": [1]}, "no weights in it"),
        ({"conv1.weight": torch.zeros(1)}, "faces.pth does not fit the backbone resnet18: .*Missing"),
    ],
)
def test_torch_files_that_do_not_fit(tmp_path, content, message):
    if isinstance(content, bytes):
        (tmp_path / "faces.pth").write_bytes(content)
    else:
        torch.save(content, tmp_path / "faces.pth")
    with pytest.raises(ValueError, match=message) as error:
        create_backbone("resnet18", tmp_path / "faces.pth")
    assert len(str(error.value).splitlines()) == 1


def linear(backbone):
    """All of its convolutions are means and its normalisations do nothing: each input counts by its number of paths."""
    for module in backbone.modules():
        for name, parameter in module.named_parameters(recurse=False):
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            torch.nn.init.constant_(parameter, 0 if name == "bias" else 1 / fan_in)
        for name, layer in module.named_children():
            if isinstance(layer, torch.nn.MaxPool2d):  # among equal inputs it would prefer the first
                setattr(module, name, torch.nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding))
    return backbone.eval()


@pytest.mark.parametrize(("name", "side"), [("mobilefacenet", 112), ("resnet18", 112), ("convnext_atto", 128)])
def test_the_cells_lie_where_their_inputs_are(name, side):
    """The centre of the inputs on which a cell depends, by their gradient, far from the border of a larger image."""
    backbone = linear(create_backbone(name))
    first, step = (side * place for place in find_grid(backbone, side))
    x = torch.ones(1, 3, 6 * side, 6 * side, requires_grad=True)
    features = backbone.features(x)
    cell = features.shape[-1] // 2
    features[0, :, cell, cell + 1].sum().backward()
    weights = x.grad[0].sum(0)
    centre = (weights.sum(0) * (torch.arange(6 * side) + 0.5)).sum() / weights.sum()
    assert centre == pytest.approx(first + (cell + 1) * step, abs=0.3)


def test_other_means_of_reduction_are_taken_for_equal_parts():
    assert find_grid(create_backbone("swin_tiny_patch4_window7_224"), 224) == []
