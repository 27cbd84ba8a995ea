"""Decode and resize the data sets of a pipeline's training stages once, into arrays that training maps into memory."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.definition.pipeline import Pipeline, Stage
    from pipelines.planning.plan import StagePlan
    from pipelines.training.packs import Packing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("name", metavar="NAME", help="a shipped pipeline, or the path of a .yaml file")
    parser.add_argument("--only", action="append", default=[], metavar="STAGE", help="for this stage; repeatable")
    parser.add_argument(
        "--set", action="append", default=[], dest="settings", metavar="A.B=VALUE", help="change the config; repeatable"
    )
    parser.add_argument("--seed", type=int, help="short for --set seed=…")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--verify", action="store_true", help="read packs that are there, and mend damaged ones")


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Pack what can be packed, a line each; what is there already is left."""
    from pipelines.definition import loading as pipelines
    from pipelines.definition.schema import TrainingConfig
    from pipelines.planning import plan as plans
    from pipelines.training import packs
    from segda.artefacts.store import Store
    from segda.data.pack.writer import NotPicturesError
    from segda.engine import signals
    from segda.terminal.escape import escape

    loaded = pipelines.load(given.name, given.settings, given.seed)
    plan = {planned.stage: planned for planned in plans.make_plan(loaded, Store(given.runs), given.only)}
    made = set()
    with signals.handle_signals():
        for stage in loaded.stages.values():
            if not isinstance(stage.config, TrainingConfig) or (given.only and stage.name not in given.only):
                continue
            for field, wanted in _wanted(stage, plan, given.runs, loaded).items():
                if isinstance(wanted, str):
                    told = wanted
                elif wanted.folder in made:
                    told = f"{wanted.folder}, as above"
                else:
                    made.add(wanted.folder)
                    try:
                        told = packs.make(wanted, verify=given.verify)
                    except NotPicturesError:
                        told = "not packed: images are not of 8 bits"
                print(escape(f"{stage.name}.{field}: {told}"), flush=True)
    return 0


def _wanted(
    stage: "Stage", plan: "dict[str, StagePlan]", runs: Path, pipeline: "Pipeline"
) -> "dict[str, Packing | str]":
    """What would be packed for each data set of a stage, or why nothing is."""
    from pipelines.definition.schema import Reference, TrainingConfig, data_fields
    from pipelines.training import packs, unreadable_files
    from pipelines.training.open_data import data_root, open_dataset
    from segda.data import unreadable

    assert isinstance(stage.config, TrainingConfig)
    found: dict[str, Packing | str] = {}
    for field, (data, with_labels) in data_fields(stage.config).items():
        root = data.root
        if packs.is_paired(stage.config):
            found[field] = "not packed: pairs are read as they are"
            continue
        if isinstance(root, Reference):
            origin = plan[root.stage]
            if origin.state != "done" or origin.folder is None:
                found[field] = f"not packed: stage {root.stage} is not finished"
                continue
            place = origin.folder / root.output if root.output else origin.folder
        else:
            place = data_root(data)
        dataset = open_dataset(data, stage.config.task.options["labels"], place, with_labels)
        if unreadable_files.skips(data):
            folder = plan[stage.name].folder
            listed = folder is not None and (folder / unreadable_files.FILE_NAME).is_file()
            lists = unreadable_files.read(folder)[field] if folder and listed else unreadable.find(dataset)
            dataset = unreadable.without(dataset, unreadable_files.keys(lists))
        found[field] = packs.plan(data, dataset, runs)
    return found
