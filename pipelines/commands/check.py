"""Check a data set before a GPU is spent: pairs, sizes, ids, class counts, broken files; or an export's checksums."""

import argparse
from collections.abc import Sequence
from pathlib import Path

EXAMPLES = (
    "segda check cityscapes --split val",
    "segda check mine.yaml --root ~/data/mine --labels camvid",
    "segda check runs/export-0a1b2c3d",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "data", metavar="DATA", help="a shipped data config, the path of a .yaml file, or the folder of an export"
    )
    parser.add_argument("--root", metavar="PATH", help="the data set's folder, instead of the config's")
    parser.add_argument("--split", help="the split, instead of the config's")
    parser.add_argument(
        "--labels", default="cityscapes", metavar="SPACE", help="label space, or a YAML file of one (cityscapes)"
    )


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the report; 0 when the data set can be used, 1 otherwise."""
    # A folder with the name of a data config is not meant, unless it holds a result.
    if Path(args.data).is_dir() and (Path(args.data).name != args.data or _holds_result(Path(args.data))):
        return verify(Path(args.data))
    from pipelines.commands.arguments import read_data
    from pipelines.definition import labels
    from pipelines.training.open_data import data_root, open_dataset
    from segda.data.check import check, render
    from segda.terminal.progress import ProgressLine

    data = read_data(args.data, args.root, args.split)
    space = labels.resolved(args.labels, "--labels")
    dataset = open_dataset(data, space, data_root(data), with_labels=True, strict=False)
    with ProgressLine(f"check {data.name}", 0, len(dataset), "pairs", aside=True) as line:
        report = check(dataset, progress=lambda done, total: line.update(done))
    print(render(report))
    return 1 if report.problems else 0


def verify(folder: Path) -> int:
    """Compare an export's files with its checksums and name each that differs, is missing or too many.

    Raises:
        ArtefactError: the folder is no finished export.
    """
    from segda.export import index
    from segda.terminal.escape import escape
    from segda.terminal.progress import ProgressLine

    files = index.load(folder).get("files") or ()
    with ProgressLine(f"check {folder.name}", 0, len(files), "files", aside=True) as progress:
        content, differences = index.check(folder, progress.update)
    keys = content.get("keys")
    print(escape(
        f"export at {folder}, layout {content.get('layout')}, label space {content.get('space')}: "
        f"{len(keys) if isinstance(keys, list) else 'no'} images, {len(content['files'])} files"
    ))  # fmt: skip
    for difference in differences:
        line = f"{difference.file}{': ' if difference.detail else ''}{difference.detail}"
        print(f"{difference.kind:<9} {escape(line)}")
    print(f"problems found: {len(differences)}" if differences else "no problems found")
    return 1 if differences else 0


def _holds_result(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("dataset.json", "stage.json"))
