"""Share a run's networks, or an exported data set: as a folder, or on the Hugging Face Hub, with a card."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines.commands.arguments import add_runs_argument

EXAMPLES = (
    "segda share streets --to network",
    "segda share gta5_to_cityscapes --to hf-hub:me/night --stage both",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "run", metavar="RUN", help="a run's name or lock file, a finished stage's folder, or an export's"
    )
    parser.add_argument(
        "--to", required=True, metavar="PLACE", help="a folder, hf-hub:owner/name, or hf-hub:datasets/owner/name"
    )
    parser.add_argument(
        "--stage", help="a row of the evaluation or a stage (the last row that was not trained on target labels)"
    )
    parser.add_argument(
        "--license", default="unknown", metavar="NAME", help="as the Hub names it, such as apache-2.0 (unknown)"
    )
    parser.add_argument("--private", action="store_true", help="make the repository private, where it is made")
    add_runs_argument(parser)


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Write or send, and say how to load it."""
    from segda.terminal.escape import escape

    if (Path(args.run) / "dataset.json").is_file():
        from pipelines.sharing.data_set import share_dataset

        share_dataset(args.run, args.to, license=args.license, private=args.private)
        print(escape(f"data set of {args.run}: {args.to}"))
        return 0
    from pipelines.from_python import load
    from pipelines.sharing import hub

    predictor = load(args.run, args.stage, "cpu", runs=args.runs)
    if hub.is_hub_name(args.to):
        predictor.push_to_hub(args.to, license=args.license, private=args.private)
    else:
        predictor.save_pretrained(args.to, license=args.license)
    print(escape(f"networks of {predictor.row!r}: {args.to}; load them by segda.load({args.to!r})"))
    return 0
