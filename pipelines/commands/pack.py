"""Decode and resize the data sets of a pipeline's training stages once, into arrays that training memory-maps."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_runs_argument

if TYPE_CHECKING:
    from pipelines.definition.schema import TrainingConfig
    from pipelines.planning.plan import StagePlan
    from pipelines.training.packs import Packing

EXAMPLES = (
    "segda pack gta5_to_cityscapes",
    "segda pack streets --only source --verify",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("name", metavar="NAME", help="a shipped pipeline, or the path of a .yaml file")
    parser.add_argument("--only", action="append", default=[], metavar="STAGE", help="for this stage; repeatable")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="A.B=VALUE", help="change the config; repeatable"
    )
    parser.add_argument("--seed", type=int, help="short for --set seed=…")
    add_runs_argument(parser)
    parser.add_argument("--verify", action="store_true", help="read existing packs, and repair damaged ones")


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Make the packs that are missing; print a line for each data set."""
    from pipelines.commands.arguments import print_shadowing
    from pipelines.definition import loading as pipelines
    from pipelines.definition.schema import TrainingConfig, data_fields
    from pipelines.planning import plan as plans
    from pipelines.training import packs
    from segda.artefacts.store import Store
    from segda.data.pack.writer import NotPicturesError
    from segda.engine import signals
    from segda.terminal.escape import escape

    pipeline = pipelines.load(args.name, args.settings, args.seed)
    print_shadowing(sys.stderr)
    plan = {planned.stage: planned for planned in plans.make_plan(pipeline, Store(args.runs), args.only)}
    made = set()
    with signals.handle_signals():
        for stage in pipeline.stages.values():
            if not isinstance(stage.config, TrainingConfig) or (args.only and stage.name not in args.only):
                continue
            for field in data_fields(stage.config):
                packing = _packing(stage.config, field, plan[stage.name], plan, args.runs)
                if isinstance(packing, str):
                    message = packing
                elif packing.folder in made:
                    message = f"{packing.folder}, as above"
                else:
                    made.add(packing.folder)
                    try:
                        message = packs.make(packing, verify=args.verify)
                    except NotPicturesError:
                        message = "not packed: images are not of 8 bits"
                print(escape(f"{stage.name}.{field}: {message}"), flush=True)
    return 0


def _packing(
    config: "TrainingConfig", field: str, planned: "StagePlan", plan: "dict[str, StagePlan]", runs: Path
) -> "Packing | str":
    """The pack of a stage's data set, or why there is none."""
    from pipelines.definition.schema import Reference, data_fields
    from pipelines.training import packs, unreadable_files
    from pipelines.training.open_data import data_root, open_dataset
    from segda.data import unreadable

    data, with_labels = data_fields(config)[field]
    if config.reads_pairs:
        return "not packed: pairs are read as they are"
    if isinstance(data.root, Reference):
        origin = plan[data.root.stage]
        if origin.state != "done" or origin.folder is None:
            return f"not packed: stage {data.root.stage} is not finished"
        root = data.root.path(origin.folder)
    else:
        root = data_root(data)
    dataset = open_dataset(data, config.task.options["labels"], root, with_labels)
    if unreadable_files.skips(data):
        folder = planned.folder
        is_listed = folder is not None and (folder / unreadable_files.FILE_NAME).is_file()
        files = unreadable_files.read(folder)[field] if folder and is_listed else unreadable.find(dataset)
        dataset = unreadable.without(dataset, unreadable_files.keys(files))
    return packs.plan(data, dataset, runs)
