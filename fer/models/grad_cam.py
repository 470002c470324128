"""Grad-CAM: which positions of the features raise the logit of a class."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor, nn

from ..preprocessing import Preprocessing
from .dan import DAN, Backbone
from .inputs import normalize


class GradCam:
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) of a DAN at the last features of its backbone.

    It needs the package grad-cam. The network is copied, and computed on the CPU.

    Args:
        model: a DAN.
        preprocessing: of its checkpoint.
    """

    def __init__(self, model: DAN, preprocessing: Preprocessing):
        from pytorch_grad_cam import GradCAM

        self.preprocessing = preprocessing
        network = _Logits(model)
        self._cam = GradCAM(network, [network.tap])
        self._cam.get_target_width_height = lambda _: None  # the map stays as coarse as the features

    def __call__(self, crops: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Prepared crops, uint8 [N,S,S,1 or 3], and the index of a class for each [N] -> maps, float32 [N,h,w].

        The smallest value of a map is 0. A map of zeros: nothing raises the logit.
        """
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        inputs = normalize(torch.from_numpy(crops), self.preprocessing)
        return self._cam(inputs, [ClassifierOutputTarget(int(c)) for c in classes])


class _Logits(nn.Module):
    """The logits of a copy of a DAN; the features pass through `tap`, where their gradient starts."""

    def __init__(self, model: DAN):
        super().__init__()
        self.model, self.tap = copy.deepcopy(model).cpu().eval(), _Tap()
        self.model.backbone = _TappedBackbone(self.model.backbone, self.tap)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).logits


class _Tap(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.detach().requires_grad_()  # the gradient of the backbone is not needed


class _TappedBackbone(Backbone):
    def __init__(self, backbone: Backbone, tap: _Tap):
        super().__init__()
        self.backbone, self.tap, self.num_features = backbone, tap, backbone.num_features

    def features(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            features = self.backbone.features(x)
        return self.tap(features)
