"""Measure the distance of two data sets in the features of a run's finished networks."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands.arguments import add_domain_arguments, add_rows_arguments, device, finished_rows, read_domain

if TYPE_CHECKING:
    from pipelines.definition.schema import DataConfig
    from segda.artefacts.manifest import Manifest

EXAMPLES = (
    "segda distance gta5_to_cityscapes --source gta5 --target cityscapes",
    "segda distance streets --source runs/export-0a1b2c3d --target cityscapes",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add_rows_arguments(parser)
    for domain in ("source", "target"):
        add_domain_arguments(parser, domain, required=True, text=f"the {domain}'s data config, or an export's folder")
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="samples of each domain at most (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the halves that train and score the classifier")
    parser.add_argument(
        "--oracle", action="store_true", help="open the target's labels, too, for the bound's joint error"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the terms of the bound on the target error for every row."""
    import json

    from segda.artefacts.store import Store
    from segda.errors import ConfigError

    if args.count < 8:
        raise ConfigError(f"--count: {args.count}; expected at least 8 samples of each domain")
    rows = finished_rows(Store(args.runs), args.run, args.stage)
    source, target = read_domain(args, "source"), read_domain(args, "target")
    assert source is not None and target is not None  # noqa: PT018 (both are required)
    measured = {name: measure(args, folder, manifest, source, target) for name, (folder, manifest) in rows.items()}
    if args.json:
        print(json.dumps(measured, indent=1))
    else:
        show(measured)
    return 0


def measure(
    args: argparse.Namespace, folder: Path, manifest: "Manifest", source: "DataConfig", target: "DataConfig"
) -> dict[str, Any]:
    """The divergence of two data sets in a stage's features, and the terms of the bound."""
    from dataclasses import replace

    from pipelines.networks import load_predictor
    from pipelines.scoring import features
    from pipelines.training.unreadable_files import open_readable
    from segda.export.fidelity import frechet_distance, kernel_distance
    from segda.metrics.domain_distance import Bound, divergence, joint_error
    from segda.terminal.progress import ProgressLine

    labels = manifest.config["task"]["labels"]
    predictor = load_predictor(folder, manifest, device(args))
    source_set, target_set = open_readable(source, labels, True), open_readable(target, labels, args.oracle)
    on_source = replace(predictor, resize=source.resize or predictor.resize)
    on_target = replace(predictor, resize=target.resize or predictor.resize)
    samples, of_target = (features.spaced_samples(each, args.count) for each in (source_set, target_set))
    total = 2 * len(samples) + len(of_target)
    with ProgressLine(f"distance {manifest.stage}", 0, total, "images", aside=True) as line:
        source_features = features.image_features(on_source, source_set, line.over(samples), "source")
        target_features = features.image_features(on_target, target_set, line.over(of_target), "target")
        source_error = features.error(on_source, source_set, line.over(samples), "source")
    between = divergence(source_features.vectors, target_features.vectors, seed=args.seed)
    joint = None
    if args.oracle:  # only labels of whole images go with vectors of whole images
        source_vectors, source_labels = source_features.labelled(source_set.space)
        target_vectors, target_labels = target_features.labelled(target_set.space)
        if len(source_labels) and len(target_labels):
            joint = joint_error(source_vectors, source_labels, target_vectors, target_labels, seed=args.seed)
    bound = Bound(source_error, between.distance, joint)
    return {
        "proxy_a_distance": between.distance,
        "domain_error": between.error,
        "cost": between.cost,
        "samples": between.samples,
        "frechet_distance": frechet_distance(source_features.vectors, target_features.vectors),
        "kernel_distance": kernel_distance(source_features.vectors, target_features.vectors),
        "source_error": bound.source_error,
        "joint_error": bound.joint_error,
        "bound": bound.value,
    }


def show(measured: dict[str, dict[str, Any]]) -> None:
    """Print a line for each row, and the meaning of the columns."""
    from rich.console import Console
    from rich.text import Text

    from segda.terminal.escape import escape
    from segda.terminal.table import ruled

    grid = ruled()
    grid.add_column("row")
    for title in ("proxy A-distance", "Fréchet", "kernel", "source error", "joint error (oracle)", "bound"):
        grid.add_column(title, justify="right")
    for name, row in measured.items():
        distances = f"{row['proxy_a_distance']:.2f}", f"{row['frechet_distance']:.4g}", f"{row['kernel_distance']:.4g}"
        terms = (row[term] for term in ("source_error", "joint_error", "bound"))
        cells = ("–" if term is None else f"{term:.3f}" for term in terms)
        grid.add_row(Text(escape(name)), *distances, *cells)
    console = Console()
    console.print(grid)
    samples = " and ".join(sorted({str(row["samples"]) for row in measured.values()}))
    console.print()
    for note in (
        f"proxy A-distance 2 (1 - 2 error) of a linear SVM on {samples} samples of each domain: 0 alike, 2 separable",
        "Fréchet and kernel distance of the pooled features (FID and KID with this network in place of Inception): to "
        "compare exports that were measured with one network",
        "bound on the target error: source error + distance / 2 + joint error, the error of one linear classifier for "
        "both domains, which takes labels of the target (--oracle)",
    ):
        console.print(Text(note, style="dim"))
