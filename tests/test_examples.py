"""The examples in docstrings run, and give what they say; the public names of the package are complete."""

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import fer

ROOT = Path(__file__).resolve().parents[1]
PUBLIC = [name for name in fer.__all__ if name not in ("EMOTIONS", "__version__")]


@pytest.mark.parametrize("name", ["fer", *PUBLIC])
def test_each_public_name_has_an_example_that_runs(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    thing = fer if name == "fer" else getattr(fer, name)
    module = import_module("fer" if name == "fer" else thing.__module__)
    tests = doctest.DocTestFinder(recurse=False).find(thing, name, module, globs=dict(vars(module)))
    assert sum(len(test.examples) for test in tests), f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in tests:
        assert not runner.run(test).failed


def test_completion_shows_the_public_names():
    assert set(fer.__all__) <= set(dir(fer))
    assert all(hasattr(fer, name) for name in fer.__all__)


def test_no_argument_of_a_public_name_is_hidden_in_options():
    for name in PUBLIC:
        thing = getattr(fer, name)
        members = (
            [member for _, member in inspect.getmembers(thing, inspect.isfunction)]
            if inspect.isclass(thing)
            else [thing]
        )
        for member in members:
            if member.__module__.startswith("fer."):
                kinds = {p.kind for p in inspect.signature(member).parameters.values()}
                assert inspect.Parameter.VAR_KEYWORD not in kinds, member
