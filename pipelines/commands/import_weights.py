"""Convert a PyTorch weights file (.pth) to safetensors, without running code from it."""

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = (
    "segda import ~/data/weights/resnet34.pth",
    "segda import checkpoint.pth --part ema --out ema.safetensors",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a state dict of torch.save, or a trainer's checkpoint that holds one"
    )
    parser.add_argument("--part", metavar="NAME", help="only what is below this name, such as ema; needs --out")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE.safetensors",
        help="the file to write; else where configs that name FILE find it ($SEGDA_IMPORTED, or the user's cache)",
    )  # fmt: skip


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Read and write."""
    from segda.networks import import_weights
    from segda.terminal.escape import escape

    path, count, others = import_weights.keep(args.file, args.out, args.part)
    more = ", ..." if len(others) > 5 else ""
    left_out = f"; left out, no tensors: {', '.join(others[:5])}{more}" if others else ""
    print(escape(f"{count} tensors of {args.file}: {path}{left_out}"))
    return 0
