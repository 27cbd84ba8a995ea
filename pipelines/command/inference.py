"""The options of a command that say how often, at which scales and in which windows networks see an image."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segda.engine.inference import Inference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--flip`, `--scales`, `--window` and `--stride`."""
    group = parser.add_argument_group("test-time augmentation, whose probabilities are averaged")
    group.add_argument("--flip", action="store_true", help="show the mirrored image, too")
    group.add_argument(
        "--scales", type=float, nargs="+", default=[1.0], metavar="FACTOR", help="show the image at these scales (1.0)"
    )
    group.add_argument(
        "--window", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"), help="show this much of the image at a time"
    )
    group.add_argument(
        "--stride", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"),
        help="from one window to the next (two thirds of the window)",
    )  # fmt: skip
    group.add_argument(
        "--window-batch", type=int, metavar="N",
        help="windows in one pass (one on a CPU, else as many as have 2048x1024 pixels together)",
    )  # fmt: skip


def read(given: argparse.Namespace) -> "Inference":
    """What the options mean.

    Raises:
        ConfigError: they make no sense.
    """
    from segda.engine.inference import Inference

    return Inference(
        given.flip,
        tuple(given.scales),
        None if given.window is None else (given.window[0], given.window[1]),
        None if given.stride is None else (given.stride[0], given.stride[1]),
        given.window_batch,
    )
