"""Print the scores of runs over the seeds of a pipeline: mean, spread and gain, with papers' numbers."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.arguments import add_runs_argument

if TYPE_CHECKING:
    from segda.report.results_file import Scored
    from segda.report.seed_table import Claims, SeedTable

CLAIMS_ENDING = ".claims.yaml"

EXAMPLES = (
    "segda table .",
    "segda table streets --classes",
    "segda table . --markdown --save results.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "path", nargs="*", metavar="PATH", help="a folder of runs (.), a run's name, its lock file, or a results file"
    )
    add_runs_argument(parser)
    parser.add_argument("--row", action="append", default=[], metavar="ROW", help="show only this row; repeatable")
    parser.add_argument("--classes", action="store_true", help="show the scores by class, too")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    form.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write a results file, which needs no runs")
    parser.add_argument(
        "--claims", type=Path, metavar="FILE",
        help=f"papers' numbers to show with ours; by default NAME{CLAIMS_ENDING} next to NAME.json",
    )  # fmt: skip


def execute(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """Print the tables."""
    import json

    from rich.console import Console

    from segda.errors import ArtefactError
    from segda.report import results_file, seed_table, terminal
    from segda.terminal.escape import escape

    paths = args.path or (["."] if args.runs == Path("runs") else [str(args.runs)])
    scored = [run for path in paths for run in collect(path, args.runs)]
    if not scored:
        raise ArtefactError(f"{', '.join(paths)}: no finished evaluation; finish a run first: segda run NAME")
    experiments = seed_table.experiments(scored)
    if args.save is not None:
        results_file.write(args.save, scored)
    claims = read_claims([*paths, *([str(args.save)] if args.save else [])], args.claims, set(experiments))
    built = [_table(title, runs, claims.get(title), args.row) for title, runs in experiments.items()]
    tables = [table for table in built if table is not None]
    if not tables:
        rows = dict.fromkeys(row for run in scored for row in run.evaluations)
        raise ArtefactError(f"--row: no table has {', '.join(args.row)}; rows are {', '.join(rows)}")
    if args.json:
        print(json.dumps({"tables": {table.title: seed_table.to_json(table) for table in tables}}, indent=1))
        return 0
    console = Console()
    for number, table in enumerate(tables):
        if number:
            print()
        if args.markdown:
            if len(tables) > 1:
                print(f"**{escape(table.title)}**, {table.headline} in percent\n")
            print(seed_table.to_markdown(table))
            continue
        console.print(terminal.over_seeds(table, console.width))
        if args.classes:
            print()
            console.print(terminal.renderable(table.scores, console.width))
    return 0


def collect(path: str, runs: Path) -> Iterator["Scored"]:
    """The scores of the runs that `path` names.

    It is a folder with runs in it or in its folder `runs`, a run's lock file, a results file, or the name of a run
    in the folder `runs`; the name of a pipeline stands for all its seeds.

    Raises:
        ArtefactError: there is no such run.
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


def read_claims(paths: Sequence[str], file: Path | None, titles: set[str]) -> dict[str, "Claims"]:
    """The claims for each table, from a file, or from those next to results files.

    Raises:
        ConfigError: a file is missing or wrong, or names a table that there is not.
    """
    from pydantic import Field

    from pipelines.definition.strict import StrictConfig
    from segda.config.lookup import nearest
    from segda.config.validation import validate
    from segda.config.yaml_file import read_mapping
    from segda.errors import ConfigError
    from segda.report.seed_table import Claims

    class File(StrictConfig):
        sources: dict[str, str] = {}
        tables: dict[str, dict[str, dict[str, float]]] = Field(min_length=1)

    candidates = (Path(path.removesuffix(".json") + CLAIMS_ENDING) for path in paths if path.endswith(".json"))
    claims = {}
    for each in [file] if file else dict.fromkeys(path for path in candidates if path.is_file()):
        content = validate(File, read_mapping(each), str(each))
        for title, rows in content.tables.items():
            if title not in titles and file:
                raise ConfigError(f"{each}: tables.{title}: no such table; {nearest(title, titles)}")
            claims[title] = Claims(rows, content.sources)
    return claims


def _table(title: str, runs: list["Scored"], claims: "Claims | None", rows: Sequence[str]) -> "SeedTable | None":
    """A table with those of the rows that it has; `None` where it has none of them."""
    from segda.report import seed_table

    names = {*(name for run in runs for name in run.evaluations), *(claims.values if claims else ())}
    chosen = [row for row in rows if row in names]
    return seed_table.build(title, runs, claims, chosen) if chosen or not rows else None


def _is_seed(run: str, pipeline: str) -> bool:
    ending = run.removeprefix(f"{pipeline}-seed")
    return ending != run and ending.isdigit()
