"""Measure how far apart two data sets lie in the features of a run's finished networks."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.definition.schema import DataConfig
    from segda.artefacts.manifest import Manifest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file, or a finished stage's folder")
    for domain in ("source", "target"):
        given = f"the {domain}'s data config, or an export's folder"
        parser.add_argument(f"--{domain}", required=True, metavar="DATA", help=given)
        parser.add_argument(f"--{domain}-root", metavar="PATH", help="its folder, in place of the config's")
        parser.add_argument(f"--{domain}-split", metavar="SPLIT", help="its split, in place of the config's")
    parser.add_argument("--stage", action="append", default=[], help="a row of the evaluation or a stage; repeatable")
    parser.add_argument("--count", type=int, default=2000, metavar="N", help="samples of each domain at most (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the halves that train and score the classifier")
    parser.add_argument(
        "--oracle", action="store_true", help="open the target's labels, too, for the bound's joint error"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Print the pieces of the bound on the target error for every row."""
    import json

    import torch

    from pipelines.commands.arguments import finished_rows, read_data
    from segda.artefacts.store import Store
    from segda.errors import ConfigError

    if given.count < 8:
        raise ConfigError(f"--count: {given.count}; expected at least 8 samples of each domain")
    rows = finished_rows(Store(given.runs), given.run, given.stage)
    source = read_data(given.source, given.source_root, given.source_split)
    target = read_data(given.target, given.target_root, given.target_split)
    device = torch.device("cuda" if torch.cuda.is_available() and not given.cpu else "cpu")
    measured = {
        name: measure(folder, manifest, source, target, given.count, given.seed, given.oracle, device)
        for name, (folder, manifest) in rows.items()
    }
    if given.json:
        print(json.dumps(measured, indent=1))
    else:
        show(measured)
    return 0


def measure(
    folder: Path,
    manifest: "Manifest",
    source: "DataConfig",
    target: "DataConfig",
    count: int,
    seed: int,
    oracle: bool,
    device: Any,
) -> dict[str, Any]:
    """The divergence of two data sets in a stage's features, and the pieces of the bound.

    Args:
        folder: of the finished stage.
        manifest: its manifest.
        source: the labelled set.
        target: the other one.
        count: samples of each at most, one from each of as many equal parts of the sets.
        seed: of the halves that train and score.
        oracle: whether the target's labels may be opened.
        device: where to encode.
    """
    from pipelines.definition.schema import ComponentConfig
    from pipelines.networks import build_task, load_networks, working_size
    from pipelines.scoring import features
    from pipelines.training.unreadable_files import open_now
    from segda.export.fidelity import frechet_distance, kernel_distance
    from segda.metrics.domain_distance import Bound, divergence, joint_error

    labels = manifest.config["task"]["labels"]
    networks = load_networks(folder, manifest.config, ("encoder", "head"), device)
    size = working_size(manifest)
    opened = open_now(source, labels, True)
    other = open_now(target, labels, oracle)
    places, sizes = features.spaced_samples(opened, count), (source.resize or size, target.resize or size)
    near = features.image_features(networks, opened, places, domain="source", resize=sizes[0], device=device)
    far = features.image_features(
        networks, other, features.spaced_samples(other, count), domain="target", resize=sizes[1], device=device
    )
    found = divergence(near.vectors, far.vectors, seed=seed)
    kept = near.labels != opened.space.ignore_index, far.labels != other.space.ignore_index
    joint = None
    # Only labels of whole images go with vectors of whole images.
    if oracle and kept[0].any() and kept[1].any():
        joint = joint_error(
            near.vectors[kept[0]], near.labels[kept[0]], far.vectors[kept[1]], far.labels[kept[1]], seed=seed
        )
    task = build_task(ComponentConfig(**manifest.config["task"]))
    bound = Bound(features.error(networks, task, opened, places, "source", sizes[0], device), found.distance, joint)
    return {
        "proxy_a_distance": found.distance,
        "domain_error": found.error,
        "cost": found.cost,
        "samples": found.samples,
        "frechet_distance": frechet_distance(near.vectors, far.vectors),
        "kernel_distance": kernel_distance(near.vectors, far.vectors),
        "source_error": bound.source_error,
        "joint_error": bound.joint_error,
        "bound": bound.value,
    }


def show(measured: dict[str, dict[str, Any]]) -> None:
    """Print a line a row, and what the columns are."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from segda.terminal.escape import escape

    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    grid.add_column("row")
    titles = ("proxy A-distance", "Fréchet", "kernel", "source error", "joint error (oracle)", "bound")
    for title in titles:
        grid.add_column(title, justify="right")
    for name, row in measured.items():
        pieces = (row["source_error"], row["joint_error"], row["bound"])
        shown = ["–" if piece is None else f"{piece:.3f}" for piece in pieces]
        far = [f"{row[name]:.4g}" for name in ("frechet_distance", "kernel_distance")]
        grid.add_row(Text(escape(name)), f"{row['proxy_a_distance']:.2f}", *far, *shown)
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
