"""Score the finished networks of a run on any labelled split, without training."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("run", metavar="RUN", help="a run's name or lock file, or a finished stage's folder")
    parser.add_argument("--data", required=True, metavar="NAME", help="a data config, or the path of a .yaml file")
    parser.add_argument("--split", help="the split, in place of the config's")
    parser.add_argument("--root", metavar="PATH", help="the data set's folder, in place of the config's")
    parser.add_argument("--stage", action="append", default=[], help="a row of the evaluation or a stage; repeatable")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--cpu", action="store_true", help="stay on the CPU although there is a GPU")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Score every row and print the table."""
    import json

    from pipelines.command.data import read
    from pipelines.command.rows import rows_of
    from pipelines.command.show import show
    from pipelines.evaluate import score
    from pipelines.plan import data_root, open_data
    from segda.artefacts.store import Store
    from segda.engine.session import Session

    rows = rows_of(Store(given.runs), given.run, given.stage)
    data = read(given.data, given.root, given.split)
    session = Session(cpu=given.cpu)
    scored = {}
    for name, (folder, manifest) in rows.items():
        dataset = open_data(data, manifest.config["task"]["labels"], data_root(data), True)
        scored[name] = score(folder, manifest, dataset, data.resize, data.split, session)
    if session.is_main:
        if given.json:
            print(json.dumps({name: row.to_json() for name, row in scored.items()}, indent=1))
        else:
            show({name: row.to_json() for name, row in scored.items()})
    session.close()
    return 0
