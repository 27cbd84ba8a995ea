"""Every benchmark of this folder, one after another, and the table of them in docs/benchmarks.md.

Each runs in a process of its own, `python -m tools.bench.NAME --json FILE`, and its lines are shown as they come. One
that fails is named, and the others go on. What they found is kept in docs/benchmarks.json, from which the table between
the markers of the page is made; growth draws docs/growth.svg besides.

Run:  python -m tools.bench.all [--only NAME ...] [--page FILE]
"""

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segda.files import write_whole
from tools.bench.figure import Figure, number, outcome

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
START, END = "<!-- table -->\n", "<!-- end -->"
COMMAND = "python -m tools.bench.all"
NOT_BENCHMARKS = ("__init__", "all", "figure")


def names(folder: Path = FOLDER) -> list[str]:
    """The benchmarks: all files of the folder that are one."""
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in NOT_BENCHMARKS)


def run(name: str, scratch: Path, words: Sequence[str] = (), package: str = "tools.bench") -> dict[str, Any] | None:
    """Run a benchmark and show its lines; `None` when it fails.

    Args:
        name: its file's name.
        scratch: a folder for its figures.
        words: more arguments of its command.
        package: where it lies.

    Returns:
        `machine`, `figures` and `seconds`, as `figure.tell` writes them.
    """
    file = scratch / f"{name}.json"
    start = time.monotonic()
    code = subprocess.run([sys.executable, "-m", f"{package}.{name}", "--json", str(file), *words]).returncode
    if code or not file.is_file():
        print(f"{name}: FAILED with exit code {code}", file=sys.stderr, flush=True)
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return {**found, "seconds": round(time.monotonic() - start)}


def render(results: Mapping[str, Any]) -> str:
    """The table and what is said below it, from what docs/benchmarks.json holds."""
    lines = [
        "| part | what | segda | beside | ratio or value | target | outcome | note |",
        "|---|---|---:|---|---:|---|---|---|",
    ]
    for benchmark in results["benchmarks"].values():
        lines += [row(Figure(**each)) for each in benchmark["figures"]]
    lines.append("")
    for name in results["failed"]:
        lines.append(f"`{name}` failed, and is not in the table.")
    spent = ", ".join(f"`{name}` {benchmark['seconds']}" for name, benchmark in results["benchmarks"].items())
    machines = dict.fromkeys(benchmark["machine"] for benchmark in results["benchmarks"].values())
    lines += [f"Machine: {machine}." for machine in machines]
    lines.append(
        f"`{results['command']}`, {results['date']}, commit {results['commit']}: {results['seconds']} seconds; "
        f"of them {spent or 'none'}."
    )
    return "\n".join(lines) + "\n"


def row(figure: Figure) -> str:
    """A line of the table."""
    beside = "" if figure.theirs is None else f"{figure.other}: {number(figure.theirs)} {figure.unit}"
    own_value = figure.theirs is None
    value = f"{number(figure.value)} {figure.unit}" if own_value else number(figure.value)
    target = "" if figure.bound is None else f"{figure.sense} {number(figure.bound)}"
    cells = [
        figure.part, figure.what, f"{number(figure.ours)} {figure.unit}", beside, value, target, outcome(figure),
        figure.note,
    ]  # fmt: skip
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def placed(page: str, table: str) -> str:
    """The page with the table between its markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the page has no {START.strip()} with {END} after it, between which the table goes")
    return before + start + table + end + after


def commit(root: Path = ROOT) -> str:
    """The commit that is measured, with `changed` where files differ from it."""
    try:
        words = ["git", "describe", "--always", "--dirty= (changed)", "--exclude=*"]
        return subprocess.run(words, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, write the results and the table; 1 when one failed."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names(), metavar="NAME", help=f"of {', '.join(names())}")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE", help="the page, its JSON beside it")
    given = parser.parse_args(arguments)
    start, failed, found = time.monotonic(), [], {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.only or names():
            print(f"-- {name}", flush=True)
            words = ["--plot", str(given.page.with_name("growth.svg"))] if name == "growth" else []
            result = run(name, Path(scratch), words)
            if result is None:
                failed.append(name)
            else:
                found[name] = result
    results = {
        "command": COMMAND if given.only is None else f"{COMMAND} --only {' '.join(given.only)}",
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "seconds": round(time.monotonic() - start),
        "failed": failed,
        "benchmarks": found,
    }
    page = placed(given.page.read_text(encoding="utf-8"), render(results))
    write_whole(given.page.with_suffix(".json"), (json.dumps(results, indent=1) + "\n").encode())
    write_whole(given.page, page.encode())
    print(f"{len(found)} benchmarks in {results['seconds']} s, {len(failed)} failed: {given.page}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
