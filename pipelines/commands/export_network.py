"""Write a run's network as ONNX, torch.export or TorchScript, and check that it computes the same."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines.commands.arguments import add_runs_argument, finished_rows, read_data

PRECISIONS = ("fp32", "fp16", "int8")

EXAMPLES = (
    "segda export-network streets -o streets.onnx",
    "segda export-network streets -o streets.onnx --precision int8",
    "segda export-network streets -o translator.pt2 --translator",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file, or a finished stage's folder")
    parser.add_argument(
        "-o", "--out", required=True, type=Path, metavar="FILE",
        help="ends in .onnx (ONNX), .pt2 (torch.export) or .pt (TorchScript)",
    )  # fmt: skip
    parser.add_argument(
        "--stage", help="a row of the evaluation or a stage (the last row that was not trained on target labels)"
    )
    parser.add_argument(
        "--translator", action="store_true", help="write the encoder and decoder of a stage that translates images"
    )
    parser.add_argument("--uint8", action="store_true", help="take images of uint8 instead of floats from 0 to 1")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="fp32",
        help="int8 (ONNX) takes the ranges of activations from unlabelled images of the training (fp32)",
    )  # fmt: skip
    add_runs_argument(parser)
    group = parser.add_argument_group("score PyTorch's network and the file's")
    group.add_argument("--measure", metavar="DATA", help="a labelled data set: a config's name, or a .yaml file")
    group.add_argument("--split", help="its split, instead of the config's")
    group.add_argument("--root", metavar="PATH", help="its folder, instead of the config's")
    group.add_argument("--per-class", action="store_true", help="print the score of each class, too")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Export, compare, score and write."""
    from pipelines import deployment
    from pipelines.commands.predict import default_row
    from segda.artefacts.store import Store
    from segda.deployment.deployed import demand_format
    from segda.errors import ConfigError
    from segda.terminal.escape import escape

    format = demand_format(args.out)
    if args.precision == "int8" and (format != "ONNX" or args.translator):
        raise ConfigError("--precision int8: only for segmenting and classifying networks in .onnx files; use fp16")
    if args.translator and args.measure:
        raise ConfigError("--measure: a translator has no classes to score; leave it out")
    for option in ("split", "root", "per_class"):
        if getattr(args, option) and not args.measure:
            raise ConfigError(f"--{option.replace('_', '-')}: says how to --measure; name the data, too")
    data = read_data(args.measure, args.root, args.split) if args.measure else None
    network, subject_of = ("decoder", deployment.translator) if args.translator else ("head", deployment.classifier)
    rows = finished_rows(Store(args.runs), args.run, [args.stage] if args.stage else [], network)
    name = default_row(rows)
    subject = subject_of(name, *rows[name], args.uint8)
    for line in deployment.export(subject, args.out, args.precision, data, args.per_class):
        print(escape(line))
    return 0
