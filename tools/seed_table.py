"""Set several runs of one pipeline, a seed each, in one table: mean and spread over the seeds.

Run:  python tools/seed_table.py carla_to_camvid carla_to_camvid-seed1 carla_to_camvid-seed2 [--runs runs] [--markdown]
"""

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from segda.artefacts.manifest import read_json
from segda.artefacts.store import Store
from segda.errors import SegdaError
from segda.report import table, terminal


def rows_of(store: Store, runs: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Row name to its evaluations, one a run."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for run in runs:
        for entry in store.read_lock(run)["stages"].values():
            if entry["kind"] == "evaluate":
                for name, evaluation in read_json(store.root / entry["folder"] / "evaluation.json").items():
                    rows.setdefault(name, []).append(evaluation)
    return rows


def markdown(rows: dict[str, list[dict[str, Any]]]) -> str:
    """A line a row: mIoU of each seed, mean, sample standard deviation, gain over the first row, seed by seed."""
    scores = {name: [100 * e["scores"]["mean_iou"] for e in evaluations] for name, evaluations in rows.items()}
    first = next(iter(scores.values()))
    seeds = [str(e["protocol"]["seed"]) for e in next(iter(rows.values()))]
    lines = [
        "| row | " + " | ".join(f"seed {seed}" for seed in seeds) + " | mean ± spread | gain ± spread |",
        "|---|" + "---:|" * (len(seeds) + 2),
    ]
    for name, values in scores.items():
        gains = [value - baseline for value, baseline in zip(values, first, strict=True)]
        spread = [f" ± {statistics.stdev(v):.1f}" if len(v) > 1 else "" for v in (values, gains)]
        gain = "" if values is first else f"{statistics.fmean(gains):+.1f}{spread[1]}"
        each = " | ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {name} | {each} | {statistics.fmean(values):.1f}{spread[0]} | {gain} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+", help="names of finished runs")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where results lie (./runs)")
    parser.add_argument("--markdown", action="store_true", help="mIoU alone, as a Markdown table")
    given = parser.parse_args()
    try:
        rows = rows_of(Store(given.runs), given.run)
        results = [table.Result(name, evaluations) for name, evaluations in rows.items()]
        print(markdown(rows) if given.markdown else terminal.to_text(table.build(results)))
    except SegdaError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
