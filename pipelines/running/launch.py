"""Start several processes of this program on this machine, and tell of a failure once.

Every command imports this, so what only a launch of several needs is imported where it is used.
"""

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

from segda.engine import signals
from segda.errors import ConfigError

# What torch says when the process that it wanted to hear from has gone. It has no class of its own for it.
LOST_PEER_SIGNS = (
    "Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused", "NCCL", "gloo",
    "Socket", "TCPStore",
)  # fmt: skip
LAUNCHER_END_SECONDS = 50.0
"""Seconds that torch's launcher gets to end all processes once one has gone: it gives them thirty to do so."""
SECONDARY_WAIT_SECONDS = 15.0
"""Seconds that a process in the wake of another one waits to be ended: the launcher shall see the other first."""


def is_worker() -> bool:
    """Whether a launcher (ours, torchrun, `accelerate launch`) started this process as one of several."""
    return "LOCAL_RANK" in os.environ


def work(words: Sequence[str], notes: str) -> None:
    """What each started process does. It leaves its error as a file in `notes` for the process that started it."""
    from pipelines.command_line import dispatch, explain

    if "--debug" not in words:  # torch's launcher turns it on: where a process aborts would be told in twenty lines
        faulthandler.disable()
    Path(notes, f"{os.environ['RANK']}.pid").write_text(str(os.getpid()))
    try:
        code = dispatch(words)
    except SystemExit as left:  # by code that is not ours; the others would wait for it
        code = left.code if isinstance(left.code, int) and left.code else 1
        _note(notes, f"error: process {os.environ['RANK']} left before the end, with sys.exit({left.code!r})", code)
        exit_process(code)
    except (Exception, KeyboardInterrupt) as error:
        text, code = explain(error, "--debug" in words)
        lost = is_secondary_failure(error)
        _note(notes, "" if lost else text, code, str(error) if lost else "")
        exit_process(code, wait=lost or not text)
    if code:
        exit_process(code)


def is_secondary_failure(error: BaseException) -> bool:
    """Whether a process failed for nothing but that another one had gone."""
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in LOST_PEER_SIGNS)


def exit_process(code: int, wait: bool = False) -> NoReturn:
    """End one of several processes after an error.

    The launcher stops all processes as soon as one has ended with a code other than 0. It ends at once: threads that
    still wait for another process would abort an orderly end, and print so below the error, or never let it end.

    Args:
        code: the exit code.
        wait: give the launcher time to see first which process has failed by itself, and to end this one.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if wait:
        time.sleep(SECONDARY_WAIT_SECONDS)
    os._exit(code)


def explained(error: BaseException, text: str) -> str:
    """The text to print for an error where no launcher of ours collects errors: torchrun started this process, or none.

    Of a process that fails in another's wake, no more than a line: the other tells why.
    """
    if not is_worker() or not is_secondary_failure(error):
        return text
    return f"process {os.environ.get('RANK', '?')}: another process has gone; its own error says why"


def _note(notes: str, text: str, code: int, lost: str = "") -> None:
    import json

    note = {"time": time.monotonic_ns(), "text": text, "code": code, "lost": lost}
    Path(notes, f"{os.environ['RANK']}.json").write_text(json.dumps(note))


def _first_failure(notes: str, rank: int, code: int) -> tuple[str, int]:
    """Text and exit code of the process that failed first: others fail in its wake, with nothing to say.

    Args:
        notes: the folder of notes.
        rank: of the process that the launcher saw end first.
        code: its exit code, or a signal's number below 0.
    """
    import json

    found = sorted((json.loads(path.read_text()) for path in Path(notes).glob("*.json")), key=lambda note: note["time"])
    # Who is ended because another one has died was told to stop and says so, which is no reason.
    asked = code > 0 or signals.requested()
    told = [note for note in found if note["text"] and (asked or note["code"] not in signals.CODES.values())]
    if told:
        return told[0]["text"], told[0]["code"]
    again = "the same command goes on from the last checkpoint"
    if -code == signal.SIGKILL:
        return (
            f"error: process {rank} was ended by SIGKILL, most likely by the system for lack of memory; use fewer "
            "--processes or --workers, raise the stage's `accumulate`, or add --fit-memory, then run again: "
            f"{again}"
        ), 2
    if code < 0:
        name = signal.Signals(-code).name
        return f"error: process {rank} was ended by {name}; {again}, and with --debug tells where it happened", 1
    for note in found:
        if note["lost"]:
            return f"error: a process has gone without a word ({' '.join(note['lost'].split())[:200]}); {again}", 1
    return f"error: process {rank} ended with exit code {code} and said nothing; {again}", 1


def _tell(processes: int, number: int) -> None:
    """Pass a signal on to all processes; where some have not begun, end the others in place of that."""
    import multiprocessing

    started = multiprocessing.active_children()
    if len(started) < processes and number != signal.SIGKILL:
        raise signals.StoppedError(number, "not all processes were there")
    for process in started:
        with suppress(ProcessLookupError):
            if process.pid is not None:
                os.kill(process.pid, number)


@contextmanager
def _watched(notes: str) -> Iterator[None]:
    """End the launch where torch's launcher does not: it shares locks with processes, and may wait for a dead one."""
    import threading

    over = threading.Event()
    threading.Thread(target=_watch, args=(notes, over.wait), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(notes: str, over: Callable[[float], bool]) -> None:
    gone: tuple[int, int, float] | None = None
    while not over(1.0):
        pids = {int(path.stem): int(path.read_text() or 0) for path in Path(notes).glob("*.pid")}
        for rank, pid in pids.items():
            code = _exit_code(pid) if pid and gone is None else None
            if code is not None:
                gone = rank, code, time.monotonic()
        if gone is not None and time.monotonic() - gone[2] > LAUNCHER_END_SECONDS:
            for pid in pids.values():
                if _exit_code(pid) is None:
                    os.kill(pid, signal.SIGKILL)
            text, code = _first_failure(notes, gone[0], gone[1])
            print(text, file=sys.stderr, flush=True)
            os._exit(code)


def _exit_code(pid: int) -> int | None:
    """Of a process that has gone, a signal's number below 0; `None` of one that is there. Nothing is reaped."""
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 1  # the launcher has seen to it
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def start(processes: int, words: Sequence[str], *, cpu: bool, debug: bool) -> int:
    """Run the command `words` in several processes and wait for them.

    Args:
        processes: how many; on GPUs at most one a GPU.
        words: the command's arguments.
        cpu: stay on the CPU.
        debug: keep the launcher's own messages.

    Returns:
        0, or the exit code of the process that failed first, whose error is printed.

    Raises:
        ConfigError: fewer than one process, or more than there are GPUs.
        StoppedError: a signal asked to stop before all processes were there.
    """
    if processes < 1:
        raise ConfigError(f"--processes: {processes}; expected at least 1")

    import logging
    import tempfile
    from dataclasses import fields

    import torch
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    gpus = 0 if cpu else torch.cuda.device_count()
    if gpus and processes > gpus:
        raise ConfigError(f"--processes: {processes}, but there are {gpus} GPUs; use at most {gpus}, or add --cpu")
    if not debug:
        for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    # Without this every process would use every core.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    if not gpus:
        os.environ["ACCELERATE_USE_CPU"] = "1"
    # Spawned processes keep this one's import path, whatever the current folder is; Accelerate finds its place in
    # the environment that torch's launcher sets, as under `accelerate launch`.
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="segda",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="spawn",
        max_restarts=0,
        monitor_interval=0.2,
    )
    # The launcher would give processes half a minute to save, however long that takes: they are told from here. An
    # older torch has no such setting.
    if any(field.name == "signals_to_handle" for field in fields(LaunchConfig)):
        config.signals_to_handle = "SIGHUP,SIGQUIT"
    with (
        tempfile.TemporaryDirectory() as notes,
        signals.handle_signals(tell=partial(_tell, processes)),
        _watched(notes),
    ):
        try:
            elastic_launch(config, work)(list(words), notes)
        except SignalException as signalled:
            if signalled.sigval == 2:
                raise KeyboardInterrupt from None
            return 128 + int(signalled.sigval)
        except ChildFailedError as failed:
            rank, failure = failed.get_first_failure()
            text, code = _first_failure(notes, rank, failure.exitcode)
            # Processes that have just begun die of the signal itself.
            if code == 1 and signals.requested():
                signals.raise_if_stopped("before any work")
            print(text, file=sys.stderr)
            return code
    return 0
