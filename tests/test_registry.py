"""The parts by name: each is there, and an unknown name says which are."""

import pytest

from fer.registry import ATTENTIONS, BACKBONES, LOSSES, find_part


@pytest.mark.parametrize(
    ("kind", "parts", "name"),
    [
        (kind, parts, name)
        for kind, parts in (("backbone", BACKBONES), ("attention", ATTENTIONS), ("loss", LOSSES))
        for name in parts
    ],
)
def test_each_name_leads_to_its_part(kind, parts, name):
    assert callable(find_part(kind, parts, name))


def test_a_class_may_be_registered_itself():
    assert find_part("loss", {"own": dict}, "own") is dict


@pytest.mark.parametrize(("parts", "known"), [({}, "none"), ({"a": dict, "b": dict}, "a, b")])
def test_an_unknown_name_says_which_are_known(parts, known):
    with pytest.raises(ValueError, match=f"unknown loss 'gone'; known: {known}; register your own first"):
        find_part("loss", parts, "gone")
