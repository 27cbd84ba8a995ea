"""Show what runs scored, the seeds of a pipeline put together: mean, spread and gain, beside papers' numbers."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segda.report.results_file import Scored
    from segda.report.seed_table import Claims, SeedTable

CLAIMS_ENDING = ".claims.yaml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "path", nargs="*", metavar="PATH", help="a folder of runs (.), a run's name, its lock file, or a results file"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="where results lie (./runs)")
    parser.add_argument("--row", action="append", default=[], metavar="ROW", help="show this row alone; repeatable")
    parser.add_argument("--classes", action="store_true", help="show the scores by class, too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write a results file, which needs no runs")
    parser.add_argument(
        "--claims", type=Path, metavar="FILE",
        help=f"papers' numbers to show beside ours; NAME{CLAIMS_ENDING} beside NAME.json is found by itself",
    )  # fmt: skip


def execute(given: argparse.Namespace, words: Sequence[str]) -> int:
    """Print the tables."""
    import json

    from rich.console import Console

    from segda.errors import ArtefactError
    from segda.report import results_file, seed_table, terminal
    from segda.terminal.escape import escape

    paths = given.path or (["."] if given.runs == Path("runs") else [str(given.runs)])
    scored = [run for path in paths for run in collect(path, given.runs)]
    if not scored:
        raise ArtefactError(f"{', '.join(paths)}: no finished evaluation; finish a run first: segda run NAME")
    experiments = seed_table.experiments(scored)
    if given.save is not None:
        results_file.write(given.save, scored)
    claims = claimed([*paths, *([str(given.save)] if given.save else [])], given.claims, set(experiments))
    built = [_wanted(title, runs, claims.get(title), given.row) for title, runs in experiments.items()]
    tables = [table for table in built if table is not None]
    if not tables:
        rows = dict.fromkeys(row for run in scored for row in run.evaluations)
        raise ArtefactError(f"--row: no table has {', '.join(given.row)}; rows are {', '.join(rows)}")
    if given.json:
        print(json.dumps({"tables": {table.title: seed_table.to_json(table) for table in tables}}, indent=1))
        return 0
    console = Console()
    for number, table in enumerate(tables):
        if number:
            print()
        if given.markdown:
            if len(tables) > 1:
                print(f"**{escape(table.title)}**, {table.headline} in percent\n")
            print(seed_table.to_markdown(table))
            continue
        console.print(terminal.over_seeds(table, console.width))
        if given.classes:
            print()
            console.print(terminal.renderable(table.scores, console.width))
    return 0


def collect(path: str, runs: Path) -> Iterator["Scored"]:
    """What the runs scored that a user means by `path`.

    Args:
        path: a folder with runs in it or in its folder `runs`, a run's lock file, a results file, or the name of a run
            in `runs`; the name of a pipeline stands for all its seeds.
        runs: where named runs lie.

    Raises:
        ArtefactError: there is nothing of the kind.
    """
    from segda.artefacts.store import LOCK_ENDING, Store
    from segda.errors import ArtefactError
    from segda.report import results_file

    if path.endswith(".json") and not path.endswith(LOCK_ENDING):
        yield from results_file.read(Path(path))
        return
    if Path(path).is_dir():
        stores = [store for store in (Store(Path(path)), Store(Path(path) / "runs")) if store.runs()]
        if not stores:
            raise ArtefactError(f"{path}: no runs in it or in its folder runs; start one with: segda run NAME")
        for store in stores:
            for run in store.runs():
                yield from results_file.of_run(store, run)
        return
    store, name = Store(runs).locate(path)
    seeds = [run for run in store.runs() if _is_seed(run, name)] if name == path else []
    for run in dict.fromkeys([*([name] if name in store.runs() or not seeds else []), *seeds]):
        yield from results_file.of_run(store, run)


def claimed(paths: Sequence[str], named: Path | None, titles: set[str]) -> dict[str, "Claims"]:
    """The claims for each table, from the named file and from those beside results files.

    Raises:
        ConfigError: a file is missing or wrong, or is about a table that is not there.
    """
    from pydantic import Field

    from pipelines.definition.schema import StrictConfig
    from segda.config.lookup import nearest
    from segda.config.validation import validate
    from segda.config.yaml_file import read_mapping
    from segda.errors import ConfigError
    from segda.report.seed_table import Claims

    class File(StrictConfig):
        sources: dict[str, str] = {}
        tables: dict[str, dict[str, dict[str, float]]] = Field(min_length=1)

    beside = (Path(path.removesuffix(".json") + CLAIMS_ENDING) for path in paths if path.endswith(".json"))
    files = [named] if named else list(dict.fromkeys(file for file in beside if file.is_file()))
    found = {}
    for file in files:
        content = validate(File, read_mapping(file), str(file))
        for title, rows in content.tables.items():
            if title not in titles and named:
                raise ConfigError(f"{file}: tables.{title}: no such table; {nearest(title, titles)}")
            found[title] = Claims(rows, content.sources)
    return found


def _wanted(title: str, runs: list["Scored"], claims: "Claims | None", rows: Sequence[str]) -> "SeedTable | None":
    """The table with the wanted rows that it has; `None` where it has none of them."""
    from segda.report import seed_table

    known = {*(name for run in runs for name in run.evaluations), *(claims.values if claims else ())}
    kept = [row for row in rows if row in known]
    return seed_table.build(title, runs, claims, kept) if kept or not rows else None


def _is_seed(run: str, pipeline: str) -> bool:
    ending = run.removeprefix(f"{pipeline}-seed")
    return ending != run and ending.isdigit()
