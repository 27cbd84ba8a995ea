"""Spoil sound files of every format at random and read them: nothing but a `SegdaError` may come of it.

    python -m tools.fuzz --minutes 30                     # every format in turn
    python -m tools.fuzz --minutes 5 --only usps.h5       # one format; repeatable
    python -m tools.fuzz --only svhn --start 8 --runs 1 --debug    # the inputs of one run again, with the traceback

Inputs are drawn by hypothesis, 50 in a run; they depend on the format and the number of the run alone. A find is any
other exception, of the smallest input that gives it, also for lack of memory, or a process that dies or hangs; it
prints one line, and its file is copied to `--keep`. The exit code is 1 when there was one.
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
from tools.fuzz_mutation import spoilt
from tools.fuzz_targets import TARGETS, Target

SECONDS = 20  # an input may take
MEGABYTES = 1200  # of address space that an input may need on top of what the process has
COUNT = 50  # inputs of a run


def read_spoilt(target: Target, sound: Path, work: Path, count: int, run: int = 0) -> None:
    """Read copies of sound files, one of which is spoilt in each.

    Args:
        target: the format.
        sound: folder of the sound files.
        work: for the copies; the last one stays in `set`, and its spoilt file, as it was read, in `input`.
        count: how many.
        run: what is spoilt depends on the format and this number alone.

    Raises:
        Exception: whatever is no `SegdaError` with a message, of the smallest input that gives it.
    """
    files = sorted(path for pattern in target.spoilt for path in sound.glob(pattern))

    @hypothesis.seed(f"{target.name} {run}")
    @hypothesis.settings(
        max_examples=count, database=None, deadline=None, report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink), verbosity=hypothesis.Verbosity.quiet,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(st.data())
    def read(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(files))
        content = data.draw(spoilt(file.read_bytes(), file.suffix))
        for folder in ("set", "input"):
            shutil.rmtree(work / folder, ignore_errors=True)
        shutil.copytree(sound, work / "set")
        (work / "input").mkdir()
        for path in (work / "set" / file.relative_to(sound), work / "input" / file.name):
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
    """What an exception is, and the line of our code that it comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/segda/" in frame.filename or "/pipelines/" in frame.filename]
    line = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {line}: {' '.join(str(error).split())[:100]}"


def _run(target: Target, sound: Path, work: Path, run: int, debug: bool) -> None:
    """In a process of its own: read the inputs of a run, in little memory, and leave what was found in a file."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = used + MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    if not debug:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries in C complain there
    try:
        read_spoilt(target, sound, work, COUNT, run)
    except BaseException as error:
        traceback.print_exc()
        (work / "find").write_text(described(error))


def find_in(target: Target, sound: Path, work: Path, run: int, debug: bool) -> str:
    """Do a run in a process of its own; what was found, if anything."""
    (work / "find").unlink(missing_ok=True)
    process = multiprocessing.get_context("fork").Process(target=_run, args=(target, sound, work, run, debug))
    process.start()
    process.join()
    if process.exitcode:
        return f"longer than {SECONDS} s" if process.exitcode == 1 else f"died with {process.exitcode}"
    return (work / "find").read_text() if (work / "find").exists() else ""


def main() -> int:
    """Take the formats in turn until the time is over."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", action="append", default=[], choices=[target.name for target in TARGETS])
    parser.add_argument("--start", type=int, default=0, help="number of the first run")
    parser.add_argument("--runs", type=int, help="so many runs of each format, whatever the time")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), help="folder for spoilt files")
    parser.add_argument("--debug", action="store_true", help="print tracebacks and the messages of libraries")
    args = parser.parse_args()
    targets = [target for target in TARGETS if not args.only or target.name in args.only]
    began, done, finds = time.monotonic(), Counter[str](), set[str]()
    with tempfile.TemporaryDirectory(prefix="segda-fuzz-") as temporary:
        top = Path(temporary)
        (top / "work").mkdir()
        for target in targets:
            target.write(top / target.name)
            target.read(Path(shutil.copytree(top / target.name, top / "first" / target.name)))
        numbers = range(args.start, args.start + args.runs) if args.runs else itertools.count(args.start)
        for run, target in ((run, target) for run in numbers for target in targets):
            if args.runs is None and time.monotonic() - began > 60 * args.minutes:
                break
            find = find_in(target, top / target.name, top / "work", run, args.debug)
            done[target.name] += COUNT
            kind = f"{target.name}: {find.partition(': ')[0]}"  # the message differs from input to input
            if find and kind not in finds:
                finds.add(kind)
                print(f"FIND {target.name}: {find} (--only '{target.name}' --start {run} --runs 1)", flush=True)
                for file in (top / "work" / "input").iterdir():
                    args.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, args.keep / f"{target.name}-{run}-{file.name}".replace(" ", "_"))
    print(f"{sum(done.values())} inputs in {(time.monotonic() - began) / 60:.1f} minutes, {len(finds)} finds")
    for name, count in done.items():
        print(f"  {name:<22}{count:>8}")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
