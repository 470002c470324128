"""fer evaluate."""

from __future__ import annotations

import argparse
import json
import logging
from dataclasses import fields
from pathlib import Path

from .common import EXIT_OK, add_detector, add_prior, add_weights, at_least

HELP = "measure a checkpoint on a labelled split"

log = logging.getLogger("fer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..data import DATASETS

    parser.add_argument("--dataset", required=True, choices=DATASETS, help="name of the dataset")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument(
        "--split", default="test", help="train, val, test, or all of a dataset that has no splits (default: test)"
    )
    parser.add_argument("--rule", default="", help="which images are kept (default: the dataset's; FER+: majority)")
    parser.add_argument(
        "--duplicates-of",
        metavar="DIR",
        help="folder whose train split is searched for duplicates (default: --data, if it has a train split)",
    )
    parser.add_argument("--flip", action="store_true", help="average the logits with those of the mirrored image")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for metrics.json, predictions and pictures")
    parser.add_argument(
        "--report", metavar="FILE", help="write a page with everything, an HTML file that needs no other"
    )
    parser.add_argument(
        "--compare",
        metavar="OTHER",
        help="compare with other weights, or with predictions: a CSV or Parquet file with the columns path and label",
    )
    parser.add_argument(
        "--by", nargs="+", default=[], metavar="COLUMN", help="figures by groups: columns of the table of --metadata"
    )
    parser.add_argument(
        "--metadata",
        metavar="FILE",
        help="CSV with a column path and columns for --by (default: metadata.csv in the folder of the dataset)",
    )
    parser.add_argument(
        "--end-to-end",
        action="store_true",
        help="find the faces as in photos, and count an image without a face as wrong",
    )
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="also measure on corrupted images: blur, noise, JPEG, low resolution, darkness, rotation, covered eyes or "
        "mouth (about 27 times the work)",
    )
    parser.add_argument(
        "--faithfulness",
        type=at_least(2),
        metavar="N",
        help="also test on N faces whether the attention shows what the network relies on (some 250 passes for each)",
    )
    parser.add_argument(
        "--heads",
        type=at_least(1),
        metavar="N",
        help="also measure on N faces what part of the face each attention head looks at, and the accuracy without it",
    )
    add_weights(parser)
    add_prior(parser, "trained")
    add_detector(
        parser, "detect the face in each crop and cut it out as from a photo; none: use the crops unchanged", "none"
    )


def run(arguments: argparse.Namespace) -> int:
    from ..evaluation.comparison import format_comparison
    from ..evaluation.environment import describe_packages
    from ..evaluation.evaluate import evaluate_subject, load_subject
    from ..evaluation.groups import find_table, format_groups, measure_groups
    from ..evaluation.page import write_page
    from ..evaluation.predictions import write_predictions
    from ..evaluation.report import format_summary, write_report
    from ..evaluation.request import EvaluationRequest
    from ..io.columns import look_up

    names = {field.name for field in fields(EvaluationRequest)}
    request = EvaluationRequest(**{name: value for name, value in vars(arguments).items() if name in names})
    subject = load_subject(request)
    groups: dict[str, list[str]] = {}
    if arguments.by:  # before the long work
        table = find_table(request.data, arguments.metadata)
        groups = look_up(table, arguments.by, subject.samples.names)
    evaluation, split = evaluate_subject(subject)
    predictions, out = split.table(), Path(arguments.out)
    groupings = [measure_groups(predictions, column, values) for column, values in groups.items()]
    comparison = _compare(arguments.compare, request, predictions) if arguments.compare else None
    write_report(out, evaluation, comparison and comparison[0], groupings)
    write_predictions(predictions, out)
    robustness = _measure_robustness(subject, split, out) if arguments.robustness else []
    print(format_summary(evaluation))
    for grouping in groupings:
        print(format_groups(grouping))
    if comparison:
        print(format_comparison(comparison[0]))
    print(f"written: metrics.json, predictions.csv, predictions.parquet and pictures in {arguments.out}")
    if arguments.faithfulness:
        _measure_faithfulness(subject, arguments.faithfulness, out)
    heads = _measure_heads(subject, arguments.heads, out) if arguments.heads else None
    if arguments.report:
        write_page(
            arguments.report,
            evaluation,
            predictions,
            subject.samples.read,
            comparison=comparison,
            groupings=groupings,
            robustness=robustness,
            heads=heads,
            environment=describe_packages(),
        )
        print(f"written: {arguments.report}")
    return EXIT_OK


def _measure_robustness(subject, split, out: Path) -> list:
    """Measure, find the limits of quality and apply them; writes robustness.json and robustness.png."""
    from dataclasses import asdict

    from ..evaluation.limits import find_limits
    from ..evaluation.robustness import apply_limits, format_robustness, measure_robustness, plot_robustness

    measured = []
    for row, qualities in measure_robustness(subject, split):
        measured.append((row, qualities))
        name = f"{row.corruption} {row.strength:g}" if row.unit else row.corruption
        log.info("%s: accuracy %.2f %%", name, 100 * row.accuracy)
    (_, clean), *corrupted = measured
    limits = find_limits(clean, [(row.corruption, qualities) for row, qualities in corrupted])
    rows = [apply_limits(row, qualities, limits) for row, qualities in measured]
    print(format_robustness(rows))
    print(f"  with limits of quality: {', '.join(f'{name} {limit:.3g}' for name, limit in limits.items()) or 'none'}")
    figures = {"rows": [asdict(r) for r in rows], "limits": limits}
    (out / "robustness.json").write_text(json.dumps(figures, indent=2) + "\n")
    title = f"{subject.weights} on {subject.request.dataset} {subject.request.split}, n = {rows[0].n}"
    plot_robustness(rows, out / "robustness.png", title)
    return rows


def _measure_heads(subject, n: int, out: Path):
    from ..evaluation.heads import evaluate_heads, format_heads, write_heads

    report = evaluate_heads(subject, n)
    write_heads(out, report)
    print(format_heads(report))
    print(f"written: heads.json and heads.png in {out}")
    return report


def _measure_faithfulness(subject, n: int, out: Path) -> None:
    from ..evaluation.faithfulness_report import evaluate_faithfulness, format_faithfulness, write_faithfulness

    report = evaluate_faithfulness(subject, n)
    write_faithfulness(out, report)
    print(format_faithfulness(report))
    print(f"written: faithfulness.json and faithfulness.png in {out}")


def _compare(other: str, request, predictions):
    """The comparison with other weights or with a file of predictions, and the table of the other one."""
    from dataclasses import replace

    from ..evaluation.comparison import compare
    from ..evaluation.evaluate import predict_split
    from ..evaluation.predictions import read_predictions

    if Path(other).suffix.lower() in (".csv", ".parquet"):
        table = read_predictions(other, predictions)
    else:
        table = predict_split(replace(request, weights=other)).table()
    return compare(predictions, table, Path(other).name), table
