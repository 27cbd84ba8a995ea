"""Whether two commits compute the same, bit for bit, on this machine: run it after each step of a refactoring.

Each side runs the jobs of JOBS by the command line alone, on one core, from a checkout of its own: three steps of every
method (`tools/compared/all_methods.yaml`), `digits` and `streets` in small, and `moons` as it is shipped. Compared are
the stages' keys, the bytes of trained networks and of all exported and generated files, the losses of every step, and
the scores. The jobs are those of the checkout that this file lies in, so both sides do the same.

Results of a commit are stored in the cache by its hash, so each is run once. A folder in place of a commit is run as it
is, each time: `python -m tools.compare_commits main .` compares what is not committed yet.

Run:  python -m tools.compare_commits OLD NEW [--job moons] [--cache DIR]      (exits with 1 where anything differs)
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from segda.files import write_whole

ROOT = Path(__file__).parents[1]
COMPARED = ROOT / "tools" / "compared"
JOBS = {**{path.stem: path for path in sorted(COMPARED.glob("*.yaml"))}, "moons": Path("moons")}
CACHE = Path(tempfile.gettempdir(), "segda-compared")
# Files that say when, where or by which code a stage ran, or how long it took; a page may say the same in other words.
VARYING = ("stage.json", "manifest.json", "report.html", ".lock", "table.csv")
FOLDERS_OF_VARYING = ("checkpoints", "images/report")


def git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True).stdout.strip()


def run(code: Path, job: str, runs: Path) -> dict[str, Any]:
    """Run a job with the code of a checkout: `<stage>/<file>` to hash, `<stage>/key`, losses and scores.

    Raises:
        SystemExit: the job failed.
    """
    environment = {**os.environ, "PYTHONPATH": str(code), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pipelines", "run", str(JOBS[job]), "--runs", str(runs), "--cpu", "--workers", "0"]
    ended = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{job} failed with the code of {code}:\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}")
    stages = json.loads((runs / f"{job}.lock.json").read_text())["stages"]
    results: dict[str, Any] = {}
    for stage, entry in stages.items():
        folder = runs / entry["folder"]
        results[f"{stage}/key"] = entry["key"]
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            if file.name not in VARYING and not name.startswith(FOLDERS_OF_VARYING):
                results.update({f"{stage}/{entry}": value for entry, value in content(file, name).items()})
    return results


def content(file: Path, name: str) -> dict[str, Any]:
    """What of a file must be equal: losses of each step, scores, or the hash of all bytes."""
    if file.name == "log.jsonl":
        steps = [json.loads(line) for line in file.read_text().splitlines()]
        return {f"{name} step {step['step']}": step["losses"] for step in steps if "losses" in step}
    if file.name in ("evaluation.json", "table.json"):
        return {name: without_times(json.loads(file.read_text()))}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest()}


def without_times(node: Any) -> Any:
    """JSON data without the entries that are a time or a commit."""
    if isinstance(node, dict):
        varying = ("seconds", "commit", "created", "finished", "version", "code")
        return {key: without_times(value) for key, value in node.items() if key not in varying}
    return [without_times(child) for child in node] if isinstance(node, list) else node


def results(side: str, job: str, cache: Path) -> dict[str, Any]:
    """The results of one side, run now or from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        runs, code = Path(folder, "runs"), Path(folder, "code")
        if Path(side).is_dir():
            return run(Path(side).absolute(), job, runs)
        jobs = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(COMPARED.iterdir())))
        jobs.update(Path(__file__).read_bytes())
        file = cache / f"{git('rev-parse', side + '^{commit}')[:12]}-{jobs.hexdigest()[:8]}-{job}.json"
        if not file.is_file():
            git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(code))
            git("-C", str(code), "checkout", "--quiet", side)
            cache.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(run(code, job, runs)).encode())
        loaded: dict[str, Any] = json.loads(file.read_text())
        return loaded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="a commit, or the folder of a checkout")
    parser.add_argument("new", help="the same")
    parser.add_argument("--job", action="append", choices=JOBS, help="this job alone; repeatable")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"for results of commits ({CACHE})")
    args = parser.parse_args()
    differing = False
    for job in args.job or JOBS:
        start = time.perf_counter()
        old, new = (results(side, job, args.cache) for side in (args.old, args.new))
        names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
        verdict = f"{len(names)} of {len(old)} differ" if names else f"all {len(old)} equal"
        print(f"{job}: {verdict} ({time.perf_counter() - start:.0f} s)", flush=True)
        for name in names[:20]:
            print(f"  {name}: {str(old.get(name))[:60]} | {str(new.get(name))[:60]}")
        differing |= bool(names)
    return int(differing)


if __name__ == "__main__":
    sys.exit(main())
