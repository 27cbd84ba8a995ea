"""Kill a pipeline at random moments, go on each time, and compare the results with those of an undisturbed run.

    python tools/kill_test.py                        # streets, ten kills
    python tools/kill_test.py --kills 3 --seed 1 --set seed=2
    python tools/kill_test.py --reference runs       # compare with a finished run in place of a new undisturbed one

Prints one line a kill and `equal` or `DIFFERENT`; the exit code is 0 for equal, 1 for different, 2 for no comparison.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from segda.artefacts import manifest as manifests

COMPARED = ("generate", "supervise", "translate", "export", "align")
STAGE_LINE = re.compile(r"^\[\d+/\d+\] (\S+): (?:run|resume)", re.MULTILINE)


class Run:
    """One life of the pipeline, in a process group of its own, its output in a file."""

    def __init__(self, arguments: list[str], output: Path) -> None:
        """Start it."""
        self.output = output
        self.began = time.monotonic()
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "pipelines", "run", *arguments],
                stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def wait(self, seconds: float | None) -> bool:
        """Wait for its end, at most so long; whether it has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL to the whole group: no process of it can do anything any more."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(errors="replace")

    def stage(self) -> str:
        """The stage that it is in, as far as it has told."""
        stages = STAGE_LINE.findall(self.text())
        return stages[-1] if stages else "(starting)"


def published(runs: Path) -> dict[str, str]:
    """The SHA-256 of every file that the compared stages published, read anew from the files."""
    (lock,) = runs.glob("*.lock.json")
    found = {}
    for stage, entry in json.loads(lock.read_text())["stages"].items():
        folder = runs / entry["folder"]
        if entry["kind"] in COMPARED:
            names = manifests.load(folder).outputs
            found.update({f"{stage}/{name}": manifests.sha256(folder / name) for name in names})
        elif entry["kind"] == "evaluate":
            for row, evaluation in json.loads((folder / "evaluation.json").read_text()).items():
                found[f"{stage}/{row}"] = json.dumps(evaluation["confusion"], sort_keys=True)
    return found


def undisturbed(arguments: list[str], output: Path) -> tuple[float, float]:
    """Run once; the seconds until it began its first stage, and in all."""
    run = Run(arguments, output)
    until_first = 0.0
    try:
        while not run.wait(0.1):
            if until_first == 0.0 and STAGE_LINE.search(run.text()):
                until_first = time.monotonic() - run.began
    except BaseException:
        run.kill()
        raise
    if run.process.returncode:
        raise SystemExit(f"the undisturbed run failed:\n{run.text()}")
    return until_first, time.monotonic() - run.began


def finished(runs: Path) -> float:
    """The seconds of work that a finished run took, as its manifests say."""
    (lock,) = runs.glob("*.lock.json")
    folders = [runs / entry["folder"] for entry in json.loads(lock.read_text())["stages"].values()]
    return sum(manifests.load(folder).provenance["seconds"] for folder in folders)


def disturbed(arguments: list[str], output: Path, gaps: list[float]) -> int:
    """Run with a kill after each gap, then to the end; the number of kills that found it alive."""
    for number, gap in enumerate(gaps, 1):
        run = Run(arguments, output)
        try:
            ended = run.wait(gap)
        finally:
            if run.process.poll() is None:
                run.kill()
        if ended:
            if run.process.returncode:
                raise SystemExit(f"life {number} failed by itself:\n{run.text()}")
            print(f"{number:>4}  {'–':>8}  it had finished after {time.monotonic() - run.began:.1f} s", flush=True)
            return number - 1
        print(f"{number:>4}  {gap:>8.1f}  {run.stage()}", flush=True)
    run = Run(arguments, output)
    try:
        run.wait(None)
    finally:
        if run.process.poll() is None:
            run.kill()
    if run.process.returncode:
        raise SystemExit(f"the last life failed:\n{run.text()}")
    return len(gaps)


def random_gaps(kills: int, seed: int, starting: float, whole: float) -> list[float]:
    """How long each life lasts: the run, cut at random, and the time that each life but the first starts up in."""
    generator = random.Random(seed)
    moments = sorted(generator.uniform(starting, 0.95 * whole) for _ in range(kills))
    gaps = [later - earlier for earlier, later in zip([0.0, *moments], moments, strict=False)]
    return [gap + (starting if number else 0.0) for number, gap in enumerate(gaps)]


def main() -> int:
    """Run both, compare, and tell."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--pipeline", default="streets", help="a shipped pipeline, or the path of a .yaml file")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="A.B=VALUE")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where both runs are kept; a temporary folder otherwise")
    parser.add_argument("--reference", type=Path, metavar="RUNS", help="holds one finished run of the same settings")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kill_test-") as temporary:
        folder = given.folder or Path(temporary)
        if any(folder.glob("*undisturbed")) or any(folder.glob("*killed")):
            raise SystemExit(f"{folder}: holds an earlier test; choose another --folder or empty it")
        folder.mkdir(parents=True, exist_ok=True)
        arguments = [given.pipeline, "--processes", str(given.processes)]
        arguments += [word for setting in given.settings for word in ("--set", setting)]
        reference = given.reference or folder / "undisturbed"
        if given.reference:
            starting, whole = 0.0, finished(reference)
        else:
            starting, whole = undisturbed([*arguments, "--runs", str(reference)], folder / "undisturbed.txt")
        print(f"undisturbed: {whole:.1f} s, {starting:.1f} s of it before the first stage", flush=True)
        print("kill   after s  stage", flush=True)
        gaps = random_gaps(given.kills, given.seed, starting, whole)
        kills = disturbed([*arguments, "--runs", str(folder / "killed")], folder / "killed.txt", gaps)
        expected, found = published(reference), published(folder / "killed")
    different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    for name in different:
        print(f"  differs: {name}")
    print(f"{len(expected)} files and scores compared after {kills} kills: {'DIFFERENT' if different else 'equal'}")
    if different:
        return 1
    if kills < given.kills:
        print(f"only {kills} of {given.kills} kills found the run alive; try another --seed")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
