"""The command `fer`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from .errors import FerError

EXIT_OK, EXIT_SOME_FAILED, EXIT_USAGE, EXIT_UNFINISHED, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 all files read, 1 some failed, 2 usage, 3 out of time, 130 interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        hint = _AFTER_INTERRUPTION.get(arguments.command, "")
        print(f"fer {arguments.command}: interrupted{hint}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever reads our table has seen enough
        sys.stdout = None
        return EXIT_OK
    except ModuleNotFoundError as error:
        print(f"fer {arguments.command}: needs the package {error.name}: pip install 'dan-fer[train]'", file=sys.stderr)
        return EXIT_USAGE
    except (ValueError, OSError, FerError) as error:
        print(f"fer {arguments.command}: {error}", file=sys.stderr)
        return EXIT_USAGE


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fer", description="Facial expression recognition with DAN.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (add_arguments, run, help) in _COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help)
        add_arguments(sub)
        sub.set_defaults(run=run)
    return parser.parse_args(argv)


# predict


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="images, or folders of images")
    parser.add_argument("--out", metavar="FILE", help="write the rows to a .csv or .jsonl file instead of a table")
    parser.add_argument("--annotate", metavar="DIR", help="write annotated copies of the images there")
    parser.add_argument("--recursive", action="store_true", help="look into the folders inside folders too")
    _add_weights(parser)
    _add_detector(parser)


def _add_weights(parser: argparse.ArgumentParser) -> None:
    from .resources import DEFAULT_WEIGHTS

    parser.add_argument("--weights", default=DEFAULT_WEIGHTS, help="shipped weights or a file (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--batch-size", type=int, default=64, help="crops in one pass (default: %(default)s)")


def _add_detector(parser: argparse.ArgumentParser) -> None:
    from .faces import DETECTORS

    parser.add_argument("--detector", default="auto", choices=DETECTORS, help="face detector; none: images are crops")
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")


def _predict(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from .draw import draw_faces
    from .images import find_images, write_image
    from .inference.recognizer import EmotionRecognizer
    from .inference.sinks import open_sink, to_rows

    paths = find_images(arguments.paths, arguments.recursive)
    copies = {path: Path(arguments.annotate) / copy for path, copy in paths.items()} if arguments.annotate else {}
    if clash := {path.resolve() for path in paths} & {copy.resolve() for copy in copies.values()}:
        raise ValueError(f"--annotate {arguments.annotate} would overwrite {sorted(clash)[0]}; choose another folder")
    recognizer = EmotionRecognizer.from_pretrained(
        arguments.weights,
        detector=arguments.detector,
        detector_weights=arguments.detector_weights,
        device=arguments.device,
        batch_size=arguments.batch_size,
    )
    faces = failed = 0
    with open_sink(arguments.out, recognizer.classes) as sink:
        results = recognizer.predict_paths(paths, keep_images=bool(arguments.annotate))
        for result in tqdm(results, total=len(paths), unit="image", disable=not arguments.out):
            faces += len(result.faces)
            failed += bool(result.error)
            for row in to_rows(result):
                sink.write(row)
            if arguments.annotate and result.image is not None:
                write_image(copies[Path(result.path)], draw_faces(result.image, result.faces))
    print(f"{len(paths)} images, {faces} faces, {failed} could not be read", file=sys.stderr)
    return EXIT_SOME_FAILED if failed else EXIT_OK


# train


def _add_train(parser: argparse.ArgumentParser) -> None:
    from .training.config import add_arguments

    add_arguments(parser)


def _train(arguments: argparse.Namespace) -> int:
    from .training.config import config_from_arguments

    config = config_from_arguments(arguments)
    from .training.loop import fit

    metrics = fit(config)
    if metrics is None:
        print(f"out of time after {config.minutes:g} minutes; --resume goes on", file=sys.stderr)
        return EXIT_UNFINISHED
    if int(os.environ.get("RANK", 0)) > 0:  # under torchrun, one process speaks
        return EXIT_OK
    print(
        f"best epoch {metrics['epoch']}: validation accuracy {metrics['accuracy']:.2%} "
        f"(rule {metrics['rule']}, n = {metrics['n']}), {metrics['score']:.2%} on the "
        f"{metrics['n_without_duplicates']} images that are not in training"
    )
    print(f"checkpoint: {Path(config.out) / 'best.safetensors'}")
    return EXIT_OK


# study, report, average


def _add_study(parser: argparse.ArgumentParser) -> None:
    from .training.config import add_arguments

    parser.add_argument("studies", nargs="+", metavar="STUDY", help="names in recipes/studies/ or paths of YAML files")
    parser.add_argument("--only", nargs="+", metavar="ROW", help="train these rows only")
    add_arguments(parser, recipe=False)


def _study(arguments: argparse.Namespace) -> int:
    from .training.config import flags_from_arguments
    from .training.study import plan_study, run_study

    flags = flags_from_arguments(arguments)
    minutes, out = flags.pop("minutes", 0.0), Path(flags.pop("out", "runs/study"))
    runs = {}
    for study in arguments.studies:
        runs |= plan_study(study, out / Path(study).stem, flags, arguments.only)
    if run_study(runs, minutes):
        return _print_report([str(out)], str(out))
    print(f"out of time after {minutes:g} minutes; the same command goes on", file=sys.stderr)
    return EXIT_UNFINISHED


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="DIR", help="folders of runs, or above them")
    parser.add_argument("--out", metavar="DIR", help="folder for report.md and curves.png")


def _report(arguments: argparse.Namespace) -> int:
    return _print_report(arguments.runs, arguments.out)


def _print_report(folders: list[str], out: str | None) -> int:
    from .training.runs import find_runs, group_runs, plot_curves, tabulate

    groups = group_runs(find_runs(folders))
    table = tabulate(groups)
    print(table)
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
        (Path(out) / "report.md").write_text(table + "\n")
        plot_curves(groups, Path(out) / "curves.png")
    return EXIT_OK


def _add_average(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="checkpoints of one architecture")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset they were trained on")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def _average(arguments: argparse.Namespace) -> int:
    from .training.averaging import average_checkpoints

    average_checkpoints(arguments.checkpoints, arguments.out, arguments.data, device=arguments.device)
    print(f"written: {arguments.out}; measure it with fer evaluate")
    return EXIT_OK


# evaluate


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    from .data import DATASETS

    parser.add_argument("--dataset", required=True, choices=DATASETS, help="name of the dataset")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument("--split", default="test", help="train, val or test (default: test)")
    parser.add_argument("--rule", default="majority", help="which images are kept (default: majority)")
    parser.add_argument(
        "--duplicates-of",
        metavar="DIR",
        help="the copy of the dataset whose train split is compared with (default: --data, where it holds one)",
    )
    parser.add_argument("--flip", action="store_true", help="average the logits with those of the mirrored image")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for metrics.json and pictures")
    _add_weights(parser)


def _evaluate(arguments: argparse.Namespace) -> int:
    from .evaluation.evaluate import evaluate_checkpoint
    from .evaluation.report import format_summary, write_report

    metrics = evaluate_checkpoint(
        arguments.weights,
        arguments.dataset,
        arguments.data,
        arguments.split,
        arguments.rule,
        duplicates_of_dir=arguments.duplicates_of,
        flip=arguments.flip,
        device=arguments.device,
        batch_size=arguments.batch_size,
    )
    write_report(Path(arguments.out), metrics)
    print(format_summary(metrics))
    print(f"written: metrics.json, confusion.png, reliability.png and attention.png in {arguments.out}")
    return EXIT_OK


# publish


def _add_publish(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="best.safetensors of a run")
    parser.add_argument("--data", required=True, metavar="DIR", help="folder of the dataset it was trained on")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument("--licence", required=True, help="under which terms the weights may be used")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")


def _publish(arguments: argparse.Namespace) -> int:
    from .evaluation.publish import publish_checkpoint
    from .evaluation.report import format_summary

    figures = publish_checkpoint(
        arguments.checkpoint, arguments.out, arguments.data, arguments.licence, arguments.device
    )
    print(format_summary(figures))
    print(f"written: {arguments.out}, {Path(arguments.out).stat().st_size / 1e6:.1f} MB")
    return EXIT_OK


# measure-template


def _add_measure_template(parser: argparse.ArgumentParser) -> None:
    from .data import DATASETS

    parser.add_argument("dataset", choices=DATASETS, help="name of the dataset")
    parser.add_argument("data", metavar="DIR", help="folder of the dataset")
    parser.add_argument("--rule", default="majority", help="which images are kept (default: majority)")
    parser.add_argument("--limit", type=int, help="measure this many images, drawn at random")
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")


def _measure_template(arguments: argparse.Namespace) -> int:
    import numpy as np
    from tqdm import tqdm

    from .data import load_samples
    from .faces import create_detector, measure_template

    samples = load_samples(arguments.dataset, arguments.data, "train", arguments.rule)
    order = np.random.default_rng(0).permutation(len(samples))[: arguments.limit]
    detector = create_detector("yunet", arguments.detector_weights)
    template, found = measure_template((samples.read(i) for i in tqdm(order, unit="image")), detector)
    print(f"template: {np.round(template, 4).ravel().tolist()}")
    print(f"faces found in {found:.1%} of {len(order)} images")
    return EXIT_OK


# align-crops


def _add_align_crops(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", metavar="DIR", help="folder of FER+")
    parser.add_argument("out", metavar="OUT", help="folder to write the aligned copy into, as Parquet shards")
    parser.add_argument("--recipe", default="ferplus", help="recipe whose template the faces are brought to")
    parser.add_argument("--splits", nargs="+", default=["train", "val"], help="splits to copy (default: train val)")
    parser.add_argument("--detector-weights", metavar="FILE", help="ONNX file for YuNet, instead of the download")


def _align_crops(arguments: argparse.Namespace) -> int:
    import numpy as np
    from tqdm import tqdm

    from .data.ferplus import read_split, write_shard
    from .faces import align_crop, create_detector
    from .images import read_image
    from .training.config import TrainConfig, load_recipe

    config = TrainConfig(**load_recipe(arguments.recipe))
    template = np.reshape(config.template, (5, 2))
    detector = create_detector("yunet", arguments.detector_weights)
    for split in arguments.splits:
        images, votes, names = read_split(arguments.data, split)
        aligned, found = [], 0
        for image in tqdm(images, desc=split, unit="image"):
            crop = read_image(image)
            turned = align_crop(crop, detector, template, config.crop_size)
            found += turned is not None
            aligned.append(crop if turned is None else turned)
        write_shard(Path(arguments.out), split, aligned, votes, names)
        print(f"{split}: {found} of {len(images)} aligned; the others, in which no face was found, are as they were")
    return EXIT_OK


# benchmark


def _add_benchmark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photo", metavar="FILE", help="also time detection and recognition of this photo")
    parser.add_argument("--seconds", type=float, default=5, help="time spent on each figure (default: %(default)s)")
    _add_weights(parser)
    _add_detector(parser)


def _benchmark(arguments: argparse.Namespace) -> int:
    from .benchmark import benchmark
    from .faces import create_detector
    from .models.checkpoint import find_checkpoint

    weights = find_checkpoint(arguments.weights)
    detector = create_detector(arguments.detector if arguments.photo else "none", arguments.detector_weights)
    for line in benchmark(
        weights, detector, arguments.device, arguments.batch_size, arguments.seconds, arguments.photo
    ):
        print(line, flush=True)
    return EXIT_OK


_AFTER_INTERRUPTION = {
    "train": "; --resume goes on from the last epoch",
    "study": "; the same command goes on from the last epoch",
}
_COMMANDS = {
    "predict": (_add_predict, _predict, "recognise the emotions of the faces in images and folders"),
    "train": (_add_train, _train, "train a DAN: recipe and flags -> a run folder with the best checkpoint"),
    "study": (_add_study, _study, "train the runs of one or several studies, in pieces if need be, and report them"),
    "report": (_add_report, _report, "runs side by side: a table with mean and deviation over seeds, and curves"),
    "average": (_add_average, _average, "the mean of the weights of several checkpoints"),
    "evaluate": (_add_evaluate, _evaluate, "measure a checkpoint on a labelled split"),
    "publish": (_add_publish, _publish, "store a checkpoint in half precision with its measured figures, for shipping"),
    "measure-template": (_add_measure_template, _measure_template, "where landmarks lie in a dataset's crops"),
    "align-crops": (_add_align_crops, _align_crops, "a copy of FER+ with every face brought to the recipe's template"),
    "benchmark": (_add_benchmark, _benchmark, "parameters, multiplications and speed on this machine"),
}

if __name__ == "__main__":
    sys.exit(main())
