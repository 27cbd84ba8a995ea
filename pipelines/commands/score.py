"""Score a folder of any trainer's predictions, as label images, against labels, as the official script does."""

import argparse
from collections.abc import Sequence
from pathlib import Path

KINDS = ("ids", "train-ids", "indices", "colours")


EXAMPLES = (
    "segda score predictions labels --labels camvid",
    "segda score predictions --data cityscapes --split val",
    "segda score predictions labels --labels cityscapes --predicted-as colours",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="folder of label images, or of folders")
    parser.add_argument("truth", type=Path, nargs="?", metavar="LABELS", help="folder of label images, or of folders")
    parser.add_argument("--data", metavar="NAME", help="in place of LABELS: a data config, or the path of a .yaml file")
    parser.add_argument("--split", help="with --data: the split, instead of the config's")
    parser.add_argument("--root", metavar="PATH", help="with --data: its folder, instead of the config's")
    parser.add_argument(
        "--labels", default="cityscapes", metavar="SPACE", help="label space, or a YAML file of one (cityscapes)"
    )
    for side, what in (("predicted", "predictions"), ("labelled", "labels")):
        parser.add_argument(f"--{side}-as", choices=KINDS, help=f"what {what} hold; found out from them without it")
    parser.add_argument(
        "--resize", action="store_true", help="bring predictions of another size to the label's, by nearest pixel"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the table; 1 when files or values stand against a score, which are listed then."""
    import json
    import sys

    from pipelines.definition import labels
    from segda import label_space
    from segda.data.check import problem_lines
    from segda.errors import ConfigError
    from segda.evaluation import label_images
    from segda.report.terminal import print_scores
    from segda.terminal.escape import escape
    from segda.terminal.progress import ProgressLine

    if (args.truth is None) == (args.data is None):
        raise ConfigError("score: expected a folder of LABELS, or --data NAME, and not both")
    if args.data is None and (args.split or args.root):
        raise ConfigError("score: --split and --root are of --data; name the folder of the split as LABELS")
    if args.data is not None and args.labelled_as:
        raise ConfigError("score: --labelled-as is of LABELS; the reader of --data knows what its labels hold")
    space = labels.resolved(args.labels, "--labels")
    dataset, notes = None, list[str]()
    if args.data is not None:
        from pipelines.commands.arguments import read_data
        from pipelines.training.open_data import data_root, open_dataset

        data = read_data(args.data, args.root, args.split)
        dataset = open_dataset(data, space, data_root(data), with_labels=True)
        found = [label_images.Label(sample.key, sample.label) for sample in dataset.samples if sample.label]
    else:
        found, notes = label_images.find_labels(args.truth, args.labelled_as)
    pairs, problems = label_images.pair(found, args.predictions)
    named = {label.named for label in found}
    with ProgressLine("score", 0, len(pairs), "images", show=not args.json) as line:
        scored = label_images.score(
            pairs, label_space.load(space), dataset=dataset, labelled_as=args.labelled_as,
            predicted_as=args.predicted_as, named=named.pop() if len(named) == 1 else "", resize=args.resize,
            progress=line.update,
        )  # fmt: skip
    problems += scored.problems
    for note in (*notes, *scored.notes):
        print(escape(note), file=sys.stderr)
    if problems:
        print("\n".join(map(escape, problem_lines(problems))))
        return 1
    assert scored.evaluation is not None
    evaluation = {args.predictions.resolve().name: scored.evaluation.to_json()}
    if args.json:
        print(json.dumps(evaluation, indent=1))
    else:
        print_scores(evaluation)
    return 0
