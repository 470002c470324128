"""fer app."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from ..resources import resource_folder

HELP = "serve the page: live camera, photos, batches, videos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    load_module("__main__").add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    return load_module("__main__").run(arguments)


def load_module(name: str) -> ModuleType:
    """Import a module of the page, from the installed package or from the `app` folder of a checkout."""
    folder = resource_folder("app")
    if "fer.app" not in sys.modules:
        spec = spec_from_file_location("fer.app", folder / "__init__.py", submodule_search_locations=[str(folder)])
        assert spec is not None and spec.loader is not None
        sys.modules["fer.app"] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules["fer.app"])
    return import_module(f"fer.app.{name}")
