"""Corrupt valid files of every format at random and read them: no other exception than `SegdaError` may be raised.

    python -m tools.fuzz --minutes 30                  # every format in turn
    python -m tools.fuzz --minutes 5 --only usps.h5    # one format; repeatable
    python -m tools.fuzz --only svhn --run 8           # the inputs of one run again, with the traceback

Inputs are drawn by hypothesis, 50 in a run; they depend on the format and the number of the run alone. A failure is any
other exception, of the smallest input that raises it, also for lack of memory, or a process that dies or hangs; it
prints one line, and its file is copied to `fuzz-failures`. The exit code is 1 if there was one.
"""

import argparse
import faulthandler
import itertools
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import cv2
import hypothesis
import torch
from hypothesis import strategies as st

from segda.errors import SegdaError
from tools.fuzz_mutation import corrupted
from tools.fuzz_targets import TARGETS, Target

SECONDS = 20  # an input may take
MEGABYTES = 1200  # of address space that an input may need on top of what the process has
COUNT = 50  # inputs of a run
FAILURES = Path("fuzz-failures")


def read_corrupted(target: Target, valid: Path, work: Path, count: int, run: int = 0) -> None:
    """Read copies of the valid files, one of which is corrupted in each.

    Args:
        target: the format.
        valid: folder of the valid files.
        work: for the copies; the last one stays in `set`, and its corrupted file, as it was read, in `input`.
        count: how many.
        run: number of the run, the seed of the corruption.

    Raises:
        Exception: anything but a `SegdaError` with a message, of the smallest input that raises it.
    """
    files = sorted(path for pattern in target.corrupted for path in valid.glob(pattern))

    @hypothesis.seed(f"{target.name} {run}")
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink), verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(st.data())
    def read(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(files))
        content = data.draw(corrupted(file.read_bytes(), file.suffix))
        for folder in ("set", "input"):
            shutil.rmtree(work / folder, ignore_errors=True)
        shutil.copytree(valid, work / "set")
        (work / "input").mkdir()
        for path in (work / "set" / file.relative_to(valid), work / "input" / file.name):
            path.write_bytes(content)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            target.read(work / "set")
        except SegdaError as error:
            if not str(error).strip():
                raise ValueError("an error without a message") from error
        finally:
            faulthandler.cancel_dump_traceback_later()

    read()


def described(error: BaseException) -> str:
    """Type and message of an exception, and the line of our code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/segda/" in frame.filename or "/pipelines/" in frame.filename]
    line = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {line}: {' '.join(str(error).split())[:100]}"


def _run(target: Target, valid: Path, work: Path, run: int, debug: bool) -> None:
    """In a process of its own, with little memory: read the inputs of a run, and write a failure to a file."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = used + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if not debug:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C complain there
    try:
        read_corrupted(target, valid, work, COUNT, run)
    except BaseException as error:
        traceback.print_exc()
        (work / "failure").write_text(described(error))


def failure_in(target: Target, valid: Path, work: Path, run: int, debug: bool) -> str:
    """Do a run in a process of its own; its failure, or an empty string."""
    failure = work / "failure"
    failure.unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_run, args=(target, valid, work, run, debug))
    process.start()
    process.join()
    if process.exitcode:
        return f"longer than {SECONDS} s" if process.exitcode == 1 else f"died with {process.exitcode}"
    return failure.read_text() if failure.exists() else ""


def main() -> int:
    """Run the formats in turn until the time is up."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", action="append", choices=[target.name for target in TARGETS])
    parser.add_argument("--run", type=int, help="this run alone, with tracebacks and the messages of libraries")
    args = parser.parse_args()
    targets = [target for target in TARGETS if target.name in (args.only or (target.name,))]
    start, done, failures = time.monotonic(), Counter[str](), set[str]()
    with tempfile.TemporaryDirectory(prefix="segda-fuzz-") as temporary:
        top = Path(temporary)
        (top / "work").mkdir()
        for target in targets:
            target.write(top / target.name)
            target.read(Path(shutil.copytree(top / target.name, top / "first" / target.name)))
        numbers = itertools.count() if args.run is None else [args.run]
        for run, target in ((run, target) for run in numbers for target in targets):
            if args.run is None and time.monotonic() - start > 60 * args.minutes:
                break
            failure = failure_in(target, top / target.name, top / "work", run, args.run is not None)
            done[target.name] += COUNT
            kind = f"{target.name}: {failure.partition(': ')[0]}"  # the message differs from input to input
            if failure and kind not in failures:
                failures.add(kind)
                print(f"FAILED {target.name}: {failure} (--only '{target.name}' --run {run})", flush=True)
                FAILURES.mkdir(exist_ok=True)
                for file in (top / "work" / "input").iterdir():
                    shutil.copyfile(file, FAILURES / f"{target.name}-{run}-{file.name}".replace(" ", "_"))
    print(f"{sum(done.values())} inputs in {(time.monotonic() - start) / 60:.1f} minutes, {len(failures)} failures")
    for name, count in done.items():
        print(f"  {name:<22}{count:>8}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
