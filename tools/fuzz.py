"""Spoil sound files of every format at random and read them: nothing but a `SegdaError` may come of it.

    python -m tools.fuzz --minutes 30                     # every format in turn
    python -m tools.fuzz --minutes 5 --only usps.h5       # one format; repeatable
    python -m tools.fuzz --only svhn --start 812 --count 1 --debug    # one input again, with its traceback

An input is a pure function of its format and number. A find is any other exception, a hang, a dead process, or memory
above the limit; it prints one line, and its file is kept in `--keep`. The exit code is 1 when there was one.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import cv2
import torch

from segda.errors import SegdaError
from tools.fuzz_mutation import mutated
from tools.fuzz_targets import TARGETS, Target

SECONDS = 20  # an input may take
MEGABYTES = 600  # that an input may need beside what the process has
CHUNK = 200  # inputs of one process


class Hang(BaseException):
    """An input took too long."""


def _alarm(*_: object) -> None:
    raise Hang


def spoil(target: Target, sound: Path, folder: Path, number: int) -> Path:
    """A fresh copy of the sound files, one of them spoilt; which and how depends on format and number alone."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    draw = random.Random(f"{target.name} {number}")
    files = sorted(path for pattern in target.spoilt for path in folder.glob(pattern))
    file = draw.choice(files)
    file.write_bytes(mutated(file.read_bytes(), file.suffix, draw))
    return file


def fault(error: BaseException) -> str:
    """What an exception is, and where in our code it came up."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/segda/" in frame.filename or "/pipelines/" in frame.filename]
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    reason = " ".join(str(error).split())[:100]
    return f"{type(error).__name__} at {place}: {reason}"


def try_one(target: Target, folder: Path) -> str:
    """Read a spoilt copy; what is wrong with how that went, or nothing."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.alarm(SECONDS)
    try:
        target.read(folder)
    except SegdaError as error:
        if not str(error).strip():
            return "an error without a message"
    except Hang:
        return f"longer than {SECONDS} s"
    except BaseException as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        return fault(error)
    finally:
        signal.alarm(0)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return f"{grown} MB of memory" if grown > MEGABYTES else ""


def run_chunk(target: Target, sound: Path, work: Path, numbers: range, keep: Path) -> None:
    """In a process of its own: read inputs, and note each before it begins."""
    signal.signal(signal.SIGALRM, _alarm)
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    limit = used + 4 * MEGABYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # Libraries in C complain there.
    silent = os.open(os.devnull, os.O_WRONLY)
    if "--debug" not in sys.argv:
        os.dup2(silent, 2)
    for number in numbers:
        (work / "number").write_text(str(number))
        file = spoil(target, sound, work / "set", number)
        found = try_one(target, work / "set")
        if found:
            record(target, number, file, found, keep, work)


def record(target: Target, number: int, file: Path | None, found: str, keep: Path, work: Path) -> None:
    """Print a find that is new, and keep its file."""
    known = work.parent / "finds"
    # What an exception says beside its place differs from input to input.
    kind = f"{target.name}: {found.partition(': ')[0]}"
    seen = known.read_text().splitlines() if known.exists() else []
    with known.open("a") as opened:
        opened.write(kind + "\n")
    if kind in seen:
        return
    print(f"FIND {target.name}: {found} (--only '{target.name}' --start {number} --count 1)", flush=True)
    if file is not None and file.is_file():
        keep.mkdir(parents=True, exist_ok=True)
        name = f"{target.name}-{number}-{file.name}".replace("/", "_").replace(" ", "_")
        shutil.copyfile(file, keep / name)


def chunk(target: Target, sound: Path, work: Path, numbers: range, keep: Path) -> int:
    """Run inputs in a process of its own and watch it; the number of inputs that were read."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run_chunk(target, sound, work, numbers, keep)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    last, since = "", time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        place = work / "number"
        number = place.read_text() if place.exists() else ""
        if ended:
            break
        if number != last:
            last, since = number, time.monotonic()
        elif time.monotonic() - since > 2 * SECONDS:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.02)
    if status == 0:
        return len(numbers)
    reached = int(number or numbers.start)
    died = f"died of {signal.Signals(os.WTERMSIG(status)).name}" if os.WIFSIGNALED(status) else "died"
    file = spoil(target, sound, work / "set", reached)
    record(target, reached, file, died, keep, work)
    return reached - numbers.start + 1


def main() -> int:
    """Take the formats in turn until the time is over."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", action="append", default=[], choices=[target.name for target in TARGETS])
    parser.add_argument("--start", type=int, default=0, help="the first input's number")
    parser.add_argument("--count", type=int, help="so many inputs of each format, whatever the time")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"), help="where spoilt files are kept")
    parser.add_argument("--debug", action="store_true", help="print tracebacks and what libraries say")
    given = parser.parse_args()
    targets = [target for target in TARGETS if not given.only or target.name in given.only]
    began, done = time.monotonic(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="segda-fuzz-") as place:
        top = Path(place)
        for target in targets:
            target.write(top / "sound" / target.name)
            target.read(_copy(top / "sound" / target.name, top / "first"))
        (top / "work").mkdir()
        turn = 0
        while any(given.count is None or done[target.name] < given.count for target in targets):
            if given.count is None and time.monotonic() - began > 60 * given.minutes:
                break
            target = targets[turn % len(targets)]
            start = given.start + done[target.name]
            length = CHUNK if given.count is None else min(CHUNK, given.count - done[target.name])
            if length:
                done[target.name] += chunk(
                    target, top / "sound" / target.name, top / "work", range(start, start + length), given.keep
                )
            turn += 1
        finds = set((top / "finds").read_text().splitlines()) if (top / "finds").exists() else set()
    minutes = (time.monotonic() - began) / 60
    print(f"{sum(done.values())} inputs in {minutes:.1f} minutes, {len(finds)} finds")
    for name, count in done.items():
        print(f"  {name:<22}{count:>8}")
    return 1 if finds else 0


def _copy(sound: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
