"""Format the report of a benchmark as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_LATENCY_GROUPS = ("detector", "photo", "frame", "start")


def to_lines(report: dict) -> Iterator[str]:
    """Yield the lines that `fer benchmark` prints."""
    yield from _describe(report)
    yield ""
    yield from _networks(report)
    yield ""
    yield from _latencies(report)
    if files := _select(report, "folder"):
        yield ""
        yield from _folder(files)
    if limits := _select(report, "matrix"):
        yield ""
        yield from _shares(limits, _select(report, "network"))
    yield ""
    yield from _memory(report)


def _select(report: dict, *groups: str) -> list[dict]:
    return [figure for figure in report["figures"] if figure["group"] in groups]


def _plural(n: int, noun: str) -> str:
    return f"{n} {noun}" + "s" * (n != 1)


def _describe(report: dict) -> Iterator[str]:
    machine, model, options = report["machine"], report["model"], report["options"]
    line = f"{Path(options['weights']).stem}: {model['backbone']}, {model['heads']} heads, {model['input_size']} px"
    if model["macs"]:
        macs = f"{model['macs'] / 1e9:.3f} G MACs (folded {model['folded_macs'] / 1e9:.3f} G)"
        line += f", {model['parameters'] / 1e6:.2f} M parameters, {macs}"
    yield line
    yield f"{machine['cpu']}, {_plural(machine['cores'], 'core')}, {machine['system']}"
    yield ", ".join(f"{name} {version.split('-')[0]}" for name, version in machine["versions"].items() if version)
    yield f"{_plural(options['threads'], 'thread')}; medians of {options['rounds']} rounds"


def _networks(report: dict) -> Iterator[str]:
    rows: dict[str, list[dict]] = {}
    for figure in _select(report, "network"):
        rows.setdefault(figure["name"], []).append(figure)
    batches = [figure["batch"] for figure in next(iter(rows.values()))]
    columns = (
        ("ms a crop", "seconds", ".2f"),
        ("crops/s", "crops_per_second", ".1f"),
        ("time / first row", "ratio", ".2f"),
    )
    width = 9 * len(batches)
    yield f"{'network alone':<28}" + "".join(f"{title:>{width}}" for title, _, _ in columns)
    yield f"{'  crops in a batch':<28}" + "".join(f"{batch:>9}" for batch in batches) * len(columns)
    for name, figures in rows.items():
        figures = [figure | {"seconds": 1000 * figure["seconds"] / figure["batch"]} for figure in figures]
        cells = [f"{figure[key]:>9{form}}" for _, key, form in columns for figure in figures]
        yield f"{name:<28}" + "".join(cells)


def _latencies(report: dict) -> Iterator[str]:
    yield f"{'one image after the other':<46}{'ms':>9}{'per second':>12}"
    for figure in _select(report, *_LATENCY_GROUPS):
        name = f"{figure['group']}, {figure['name']}"
        if figure["group"] == "start":
            name = "cold start: a new process, a photo, all cores"
        else:
            name += f" {figure['width']}x{figure['height']}, {_plural(figure['faces'], 'face')}"
        yield f"{name:<46}{1000 * figure['seconds']:>9.1f}{1 / figure['seconds']:>12.1f}"


def _folder(figures: list[dict]) -> Iterator[str]:
    title = f"{_plural(figures[0]['files'], 'file')}, {_plural(figures[0]['faces'], 'face')}, all cores"
    yield f"{title:<28}{'files/s':>9}{'faces/s':>9}{'time / first row':>18}"
    for figure in figures:
        files, faces = (figure[key] / figure["seconds"] for key in ("files", "faces"))
        yield f"{figure['name']:<28}{files:>9.1f}{faces:>9.1f}{figure['ratio']:>18.2f}"


def _shares(limits: list[dict], networks: list[dict]) -> Iterator[str]:
    batch = max(figure["batch"] for figure in networks)
    title = f"at batch {batch}"
    yield f"{title:<28}{'MACs, G':>9}{'GFLOP/s':>9}{'of the limit':>14}"
    for figure in limits:
        yield f"{figure['name']:<28}{'':>9}{figure['gflops']:>9.1f}{1:>14.2f}"
    for figure in networks:
        if figure["batch"] == batch and figure["macs"]:
            share = "" if figure["share"] is None else f"{figure['share']:.2f}"
            yield f"{figure['name']:<28}{figure['macs'] / 1e9:>9.3f}{figure['gflops']:>9.1f}{share:>14}"


def _memory(report: dict) -> Iterator[str]:
    if report["peak_megabytes"] is not None:
        yield f"{'peak memory of the cold start':<32}{report['peak_megabytes']:>7.0f} MB"
    for name, sizes in report["install_megabytes"].items():
        if sizes is None:
            continue
        if not sizes:
            yield f"{name} is not installed as a package: its size on disk is unknown"
            continue
        largest = ", ".join(f"{part} {size:.0f}" for part, size in list(sizes.items())[:4])
        yield f"{'size on disk, ' + name:<32}{sum(sizes.values()):>7.0f} MB: {largest}, ..."
