"""Read the tensors of a foreign file of weights (.pth) once, running no code from it, for runs to open safely."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="what torch.save wrote of tensors by name, as torchvision publishes it"
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="FILE.safetensors",
        help="write there; else where configs that name FILE look for it ($SEGDA_IMPORTED, or the user's cache)",
    )  # fmt: skip


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Read and write."""
    from segda.networks import import_weights
    from segda.terminal.escape import escape

    path, count = import_weights.keep(given.file, given.out)
    print(escape(f"{count} tensors of {given.file}: {path}"))
    return 0
