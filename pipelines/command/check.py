"""Check a data set before a GPU is spent: pairs, sizes, ids, class counts, broken and mismatched files."""

import argparse
from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("data", metavar="DATA", help="a shipped data config, or the path of a .yaml file")
    parser.add_argument("--root", metavar="PATH", help="the data set's folder, in place of the config's")
    parser.add_argument("--split", help="the split, in place of the config's")
    parser.add_argument("--labels", default="cityscapes", metavar="SPACE", help="label space (cityscapes)")


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Print what was found; 0 when the data set can be used, 1 otherwise."""
    from pipelines.command.data import read
    from pipelines.plan import data_root, open_data
    from segda.data.check import check, render

    data = read(given.data, given.root, given.split)
    report = check(open_data(data, given.labels, data_root(data), with_labels=True, strict=False))
    print(render(report))
    return 1 if report.problems else 0
