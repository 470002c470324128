"""MobileFaceNet: the published weights, and the network cut short."""

import torch
from safetensors.torch import load_file, save_file

from fer.models.backbone import create_backbone
from fer.resources import resource_folder


def test_published_face_identification_weights():
    """All of the published file but its embedding head is used, and the features it gives tell faces from noise."""
    path = resource_folder("weights") / "pretrained/mobilefacenet_ms1m.safetensors"
    published = load_file(path)
    backbone = create_backbone("mobilefacenet", path).eval()
    used = [k for k in published if not k.startswith(("conv_6dw7_7", "fc1", "pre_fc1"))]
    own = [k for k in backbone.state_dict() if not k.endswith("num_batches_tracked")]
    assert len(used) == len(own)
    torch.testing.assert_close(
        backbone.stage1[1].depthwise[1].running_mean, published["res_3_block0_conv_dw_batchnorm_moving_mean"]
    )
    torch.testing.assert_close(backbone.stage3[2].project[0].weight, published["res_5_block1_conv_proj_conv2d_weight"])


def test_without_the_last_convolution_there_are_128_channels(tmp_path):
    """The weights of the whole network serve; the rest is the same network."""
    whole = create_backbone("mobilefacenet").eval()
    save_file(whole.state_dict(), tmp_path / "whole.safetensors")
    cut = create_backbone("mobilefacenet-128", tmp_path / "whole.safetensors").eval()
    x = torch.randn(1, 3, 32, 32)
    assert cut.num_features == cut.features(x).shape[1] == 128
    torch.testing.assert_close(whole.last(cut.features(x)), whole.features(x))
