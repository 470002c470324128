"""Checkpoints that are damaged at random: they load, or a ValueError says what is wrong; nothing else may escape."""

import json
import random
import struct

import pytest
import torch

from fer.models.backbone import create_backbone
from fer.models.checkpoint import Description, load_checkpoint, save_checkpoint
from fer.models.dan import DAN
from fer.preprocessing import Preprocessing

VALUES = [
    None,
    True,
    False,
    0,
    -1,
    3,
    10**30,
    0.5,
    -1e300,
    float("nan"),
    float("inf"),
    "",
    "a",
    "\ud800",
    "F16",
    "BOOL",
]
VALUES += ["F8_E8M0", [], [0], [1, 2], [[0.5, 0.5]], {}, {"a": 1}, [[[[]]]], ["neutral"] * 2]
NUMBER = 200


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> bytes:
    classes = ("neutral", "anger")
    description = Description("mobilefacenet-128", 1, classes, Preprocessing(mean=[1, 2, 3]), [[0.3, 0.4]] * 5)
    description.recipe = {"epochs": 3}
    path = tmp_path_factory.mktemp("damage") / "a.safetensors"
    save_checkpoint(path, DAN(create_backbone("mobilefacenet-128"), 2, 1), description)
    return path.read_bytes()


def split(file: bytes) -> tuple[dict, bytes]:
    """The header and the tensors of a safetensors file."""
    (length,) = struct.unpack("<Q", file[:8])
    return json.loads(file[8 : 8 + length]), file[8 + length :]


def join(header: bytes, body: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def change_value(values: dict, chance: random.Random) -> None:
    """Replace, remove or add something, at any depth."""
    place = values
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return
        key = chance.choice(keys)
        if not isinstance(place[key], dict | list) or chance.random() < 0.3:
            break
        place = place[key]
    what = chance.random()
    if what < 0.15:
        del place[key]
    elif what < 0.25 and isinstance(place, dict):
        place[f"{key}x"] = place.pop(key)
    else:
        place[key] = chance.choice(VALUES)


def in_metadata(file: bytes, chance: random.Random) -> bytes:
    header, body = split(file)
    description = json.loads(header["__metadata__"]["fer"])
    for _ in range(chance.randint(1, 2)):
        change_value(description, chance)
    text = json.dumps(description)
    if chance.random() < 0.2:
        cut = chance.randrange(len(text))
        text = text[:cut] + chance.choice(["", "{", "]", "\\", "9" * 5000]) + text[cut + 1 :]
    header["__metadata__"]["fer"] = text
    return join(json.dumps(header).encode(), body)


def in_header(file: bytes, chance: random.Random) -> bytes:
    header, body = split(file)
    change_value(header, chance)
    return join(json.dumps(header).encode(), body)


def in_header_bytes(file: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(file)
    (length,) = struct.unpack("<Q", file[:8])
    for _ in range(chance.randint(1, 3)):
        damaged[chance.randrange(8 + length)] = chance.choice([chance.randrange(256), *b'0123456789"{}[],:FBIU'])
    return bytes(damaged)


@pytest.mark.parametrize("damage", [in_metadata, in_header, in_header_bytes])
def test_only_value_errors_escape(tmp_path, checkpoint, damage):
    path, refused = tmp_path / "damaged.safetensors", 0
    for seed in range(NUMBER):
        path.write_bytes(damage(checkpoint, random.Random(seed)))
        try:
            model, description = load_checkpoint(path)
        except ValueError as error:
            refused += 1
            assert str(error).startswith(f"{path}: "), (seed, error)
        except BaseException as error:
            raise AssertionError(f"{damage.__name__}, seed {seed}: {error!r}") from error
        else:
            with torch.inference_mode():
                assert model(torch.zeros(1, 3, 32, 32)).logits.isfinite().all(), seed
    assert refused > NUMBER // 2  # the damage is real
