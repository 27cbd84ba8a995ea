"""Decode and resize the data sets of a pipeline's training stages once, into arrays that training maps into memory."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.packing import Packing
    from pipelines.pipeline import Pipeline, Stage
    from pipelines.plan import Planned


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
    from pipelines import packing
    from pipelines import pipeline as pipelines
    from pipelines import plan as plans
    from pipelines.stage import TrainingConfig
    from segda.artefacts.store import Store
    from segda.data.pack import NotPicturesError
    from segda.engine import interruption
    from segda.printable import printable

    loaded = pipelines.load(given.name, given.settings, given.seed)
    plan = {planned.stage: planned for planned in plans.make(loaded, Store(given.runs), given.only)}
    made = set()
    with interruption.noted():
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
                        told = packing.make(wanted, verify=given.verify)
                    except NotPicturesError:
                        told = "not packed: images are not of 8 bits"
                print(printable(f"{stage.name}.{field}: {told}"), flush=True)
    return 0


def _wanted(stage: "Stage", plan: "dict[str, Planned]", runs: Path, pipeline: "Pipeline") -> "dict[str, Packing | str]":
    """What would be packed for each data set of a stage, or why nothing is."""
    from pipelines import packing, skipping
    from pipelines import plan as plans
    from pipelines.stage import Reference, TrainingConfig, data_fields
    from segda.data import unreadable

    assert isinstance(stage.config, TrainingConfig)
    found: dict[str, Packing | str] = {}
    for field, (data, with_labels) in data_fields(stage.config).items():
        root = data.root
        if packing.is_paired(stage.config):
            found[field] = "not packed: pairs are read as they are"
            continue
        if isinstance(root, Reference):
            origin = plan[root.stage]
            if origin.state != "done" or origin.folder is None:
                found[field] = f"not packed: stage {root.stage} is not finished"
                continue
            place = origin.folder / root.output if root.output else origin.folder
        else:
            place = plans.data_root(data)
        dataset = plans.open_data(data, stage.config.task.options["labels"], place, with_labels)
        if skipping.skips(data):
            folder = plan[stage.name].folder
            listed = folder is not None and (folder / skipping.FILE_NAME).is_file()
            lists = skipping.read(folder)[field] if folder and listed else unreadable.find(dataset)
            dataset = unreadable.without(dataset, skipping.keys(lists))
        found[field] = packing.plan(data, dataset, runs)
    return found
