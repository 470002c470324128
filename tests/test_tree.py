"""A module has its tests in the file of the same name: fer/io/paths.py in tests/io/test_paths.py, app/live.py in
tests/app/test_live.py. Modules that share their tests with another are listed here with the reason.

Tests of the whole lie at the top of tests/: what imports what, what installs and starts alone, what
the documents say, what asks no other computer, classes of one's own from images to rows.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "fer/__main__.py": "calls fer.cli; it is started by tests/commands/test_predict.py",
    "fer/errors.py": "one class without code; tests/training/test_killed_run.py and others catch it",
    "fer/benchmark/report.py": "the text of a benchmark; tests/commands/test_benchmark.py reads it",
    "fer/benchmark/rivals.py": "networks to compare with; tests/commands/test_benchmark.py runs them",
    "fer/commands/app.py": "hands its arguments to app/__main__.py; tests/test_release.py starts it",
    "fer/commands/web.py": "hands its arguments to app/web.py; tests/app/test_web.py calls it",
    "fer/commands/import_dan.py": "needs the networks of tests/models/test_authors.py, which calls it",
    "fer/evaluation/request.py": "a dataclass; tests/evaluation/test_evaluate.py and others make it",
    "fer/evaluation/samples.py": "steps of fer/evaluation/evaluate.py: tests/evaluation/test_evaluate.py",
    "fer/evaluation/report.py": "pictures of an evaluation; tests/commands/test_evaluate.py looks at them",
    "fer/commands/fit.py": "tests/fitting/test_fit.py calls it",
    "fer/fitting/checkpoint.py": "writes the files of fer/fitting/fit.py: tests/fitting/test_fit.py",
    "fer/fitting/faces.py": "finds the faces for fer/fitting/fit.py: tests/fitting/test_fit.py",
    "fer/evaluation/push.py": "collects and uploads for fer push: tests/commands/test_push.py",
    "fer/models/descriptions.py": "reads for checkpoints: tests/models/test_checkpoint.py",
    "fer/models/weights.py": "reads files for checkpoints: tests/models/test_checkpoint.py",
    "fer/runtimes/types.py": "types only, of what tests/runtimes/test_networks.py compares",
    "fer/runtimes/torch_network.py": "one of the runtimes that tests/runtimes/test_networks.py compares",
    "app/benchmark.py": "camera and browser of tests/app/test_browser.py",
}
LONG = {"fer/inference/recognizer.py"}  # may be 300 lines or longer; do not add to them


def expected_file(module: str) -> Path:
    """Where the tests of a module are expected."""
    package, *folders, name = Path(module).parts
    place = ROOT / "tests" / ("app" if package == "app" else "")
    if folders == ["results", "sinks"]:
        return place / "results" / "test_sinks.py"  # one battery for all formats
    return place.joinpath(*folders, f"test_{name.replace('__', '')}")


MODULES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("fer", "app")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_its_tests(module):
    assert expected_file(module).is_file() != (module in ELSEWHERE), (
        f"expected {expected_file(module)} or a reason why not"
    )


@pytest.mark.parametrize("module", sorted({*MODULES} - LONG))
def test_a_module_is_short(module):
    lines = len((ROOT / module).read_text(encoding="utf-8").splitlines())
    assert lines < 300, f"{lines} lines; divide the module"


@pytest.mark.parametrize("module", ELSEWHERE)
def test_a_reason_names_the_tests(module):
    assert (ROOT / module).is_file()
    files = [word.strip(",;:") for word in ELSEWHERE[module].split() if word.startswith("tests/")]
    assert files and all((ROOT / file).is_file() for file in files)
