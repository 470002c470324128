"""Training augmentations with albumentations; the only module that imports it."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # otherwise it looks for a newer version online

import albumentations as A
import cv2


def _faces() -> list[A.BasicTransform]:
    """The usual variation of face crops: small shifts, lighting, lost detail."""
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(0.88, 1.15),
            translate_percent=(-0.07, 0.07),
            rotate=(-15, 15),
            shear=(-5, 5),
            border_mode=cv2.BORDER_REPLICATE,
            p=0.9,
        ),
        A.RandomBrightnessContrast(0.2, 0.25, p=0.6),
        A.OneOf(
            [A.GaussianBlur(blur_limit=(3, 5)), A.Downscale(scale_range=(0.35, 0.7)), A.GaussNoise((0.02, 0.06))],
            p=0.15,
        ),
        A.CoarseDropout(
            num_holes_range=(1, 1), hole_height_range=(0.12, 0.4), hole_width_range=(0.12, 0.4), fill=128, p=0.4
        ),
    ]


def _strong() -> list[A.BasicTransform]:
    """For long schedules: two random changes as in RandAugment, none of which hides an expression; then erasing."""
    change = [
        A.Affine(rotate=(-20, 20), border_mode=cv2.BORDER_REPLICATE, p=1),
        A.Affine(
            scale=(0.8, 1.25), keep_ratio=True, translate_percent=(-0.1, 0.1), border_mode=cv2.BORDER_REPLICATE, p=1
        ),
        A.Affine(shear=(-8, 8), border_mode=cv2.BORDER_REPLICATE, p=1),
        A.Perspective(scale=(0.02, 0.08), border_mode=cv2.BORDER_REPLICATE, p=1),
        A.RandomBrightnessContrast(0.3, 0.35, p=1),
        A.RandomGamma((60, 160), p=1),
        A.CLAHE(clip_limit=(1, 3), p=1),
        A.Sharpen(alpha=(0.1, 0.4), p=1),
        A.GaussianBlur(blur_limit=(3, 7), p=1),
        A.MotionBlur(blur_limit=(3, 7), p=1),
        A.Downscale(scale_range=(0.25, 0.7), p=1),
        A.ImageCompression(quality_range=(20, 80), p=1),
        A.GaussNoise((0.02, 0.1), p=1),
    ]
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(
            scale=(0.9, 1.12), keep_ratio=True, translate_percent=(-0.05, 0.05), border_mode=cv2.BORDER_REPLICATE, p=0.8
        ),
        A.SomeOf(change, n=2, p=0.9),
        A.CoarseDropout(
            num_holes_range=(1, 2), hole_height_range=(0.1, 0.4), hole_width_range=(0.1, 0.4), fill=128, p=0.4
        ),
    ]


def _paper() -> list[A.BasicTransform]:
    """The authors' augmentation for RAF-DB: flip; rotate 20 and shift 32 of 224 pixels at p 0.2; erase 0.02-0.25."""
    shift = A.Affine(translate_percent=(-1 / 7, 1 / 7), border_mode=cv2.BORDER_CONSTANT, p=1)
    return [
        A.HorizontalFlip(p=0.5),
        A.Sequential([A.Rotate(20, border_mode=cv2.BORDER_CONSTANT, p=1), shift], p=0.2),
        A.Erasing(scale=(0.02, 0.25), fill=116, p=0.5),
    ]


def _paper_affectnet() -> list[A.BasicTransform]:
    """The authors' augmentation for AffectNet: flip; rotate, shrink and shift at p 0.7; erase 0.02-0.33."""
    move = A.Affine(
        rotate=(-20, 20),
        scale=(0.8, 1.0),
        keep_ratio=True,
        translate_percent=(-0.2, 0.2),
        border_mode=cv2.BORDER_CONSTANT,
        p=0.7,
    )
    return [A.HorizontalFlip(p=0.5), move, A.Erasing(scale=(0.02, 0.33), fill=116, p=0.5)]


AUGMENTATIONS: dict[str, Callable[[], list[A.BasicTransform]]] = {
    "faces": _faces,
    "strong": _strong,
    "paper": _paper,
    "paper-affectnet": _paper_affectnet,
    "none": list,
}


class Augmentation:
    """Augment a crop uint8 [S,S,1 or 3]; the result depends only on `seed`, not on workers or order.

    Args:
        name: a key of AUGMENTATIONS.
    """

    def __init__(self, name: str):
        if name not in AUGMENTATIONS:
            raise ValueError(f"unknown augmentation {name!r}; choose one of {', '.join(AUGMENTATIONS)}")
        self.compose = A.Compose(AUGMENTATIONS[name]())

    def __call__(self, image: np.ndarray, seed: int) -> np.ndarray:
        self.compose.set_random_seed(seed)
        return self.compose(image=image)["image"]
