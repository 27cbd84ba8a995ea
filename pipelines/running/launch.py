"""Start several processes of this program on this machine, and print the error of the one that failed first.

Every command imports this, so what only a launch of several needs is imported where it is used.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from segda.engine import signals
from segda.engine.launcher import SharedError
from segda.errors import ConfigError, reason

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing import PContext
    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

# What torch says when a process that it talks to has ended. It has no class of its own for it.
LOST_PEER_SIGNS = (
    "Connection closed by peer", "Connection reset by peer", "Broken pipe", "Connection refused", "NCCL", "gloo",
    "Socket", "TCPStore",
)  # fmt: skip
SECONDARY_WAIT_SECONDS = 15.0
"""Seconds that a process which failed because another one did waits to be ended, so that the other is seen first."""
OWN_LAUNCHER = "SEGDA_LAUNCHER"
"""In the environment of processes that `start` started; it prints the error of the first one to fail."""
RESUME = "the same command goes on from the last checkpoint"
# A worker imports what its launcher would, whatever the current folder is, and ends with it.
WORKER = """
import sys
sys.path[:] = {path!r}
sys.argv = sys.argv[1:]
from pipelines.running import launch
launch.end_with_launcher()
from pipelines.__main__ import main
launch.leave(main())
"""


def is_worker() -> bool:
    """Whether a launcher (ours, torchrun, `accelerate launch`) started this process as one of several."""
    return "LOCAL_RANK" in os.environ


def is_first() -> bool:
    """Whether this process begins the command: it is alone, or started the others, or another launcher's rank 0."""
    return OWN_LAUNCHER not in os.environ and os.environ.get("RANK", "0") == "0"


def end_with_launcher() -> None:
    """Let Linux end this process when its launcher is killed: nothing else would."""
    import ctypes

    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def is_secondary_failure(error: BaseException) -> bool:
    """Whether a process failed for no other reason than that another one had ended."""
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in LOST_PEER_SIGNS)


def exit_worker(error: BaseException, message: str, code: int) -> NoReturn:
    """Report the error of one of several processes, and end it.

    The launcher stops all processes as soon as one has ended with a code other than 0. It ends at once: threads that
    still wait for another process would abort an orderly end, and print so below the error, or never let it end. Where
    another process prints the error, this one is given time to be stopped first.
    """
    own, rank, shared = OWN_LAUNCHER in os.environ, os.environ.get("RANK", "?"), isinstance(error, SharedError)
    if is_secondary_failure(error) or shared:
        if not own and not shared:
            print(f"process {rank}: another process has gone; its own error says why", file=sys.stderr, flush=True)
        time.sleep(SECONDARY_WAIT_SECONDS)
        if shared and str(error):
            print(error, file=sys.stderr)
        message = f"error: a process ended without an error message ({reason(error)}); {RESUME}"
    elif not own:
        print(message, file=sys.stderr)
    if os.environ.get("TORCHELASTIC_ERROR_FILE"):  # where torch's launchers look for it
        report = {"message": message, "timestamp": int(time.time())}
        Path(os.environ["TORCHELASTIC_ERROR_FILE"]).write_text(json.dumps(report))
    _end_at_once(code)


def leave(code: int) -> NoReturn:
    """End the program: one of several processes at once, since threads of its group may abort an orderly end."""
    if is_worker():
        _end_at_once(code)
    sys.exit(code)


def _end_at_once(code: int) -> NoReturn:
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def start(processes: int, argv: Sequence[str], *, cpu: bool, debug: bool) -> int:
    """Run the command `argv` in several processes and wait for them.

    With `debug`, a process that is ended by a signal says where it happened.

    Returns:
        0, or the exit code of the process that failed first, whose error is printed.

    Raises:
        ConfigError: more processes than there are GPUs, or Windows.
        StoppedError: a signal asked to stop before any work.
    """
    if sys.platform == "win32":
        raise ConfigError(f"--processes: {processes}, but on Windows segda starts no others; leave it out, or use WSL")
    import logging
    import tempfile

    import torch
    from torch.distributed import TCPStore  # type: ignore[attr-defined]
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, start_processes

    gpus = 0 if cpu else torch.cuda.device_count()
    if gpus and processes > gpus:
        raise ConfigError(f"--processes: {processes}, but there are {gpus} GPUs; use at most {gpus}, or add --cpu")
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    # Signals are passed on from here: torch would give processes half a minute to save.
    os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGHUP,SIGQUIT"
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    shared = {
        "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": "localhost", "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RUN_ID": "segda", "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_MAX_RESTARTS": "0",
        OWN_LAUNCHER: "1",
        **({"ACCELERATE_USE_CPU": "1"} if not gpus else {}),
        **({"PYTHONFAULTHANDLER": "1"} if debug else {}),
    }  # fmt: skip
    ranks = range(processes)
    command = ("-c", WORKER.format(path=sys.path), sys.argv[0], *argv)
    with tempfile.TemporaryDirectory() as logs:
        with signals.handle_signals():
            context = start_processes(
                name="segda",
                entrypoint=sys.executable,
                args=dict.fromkeys(ranks, command),
                envs={rank: {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in ranks},
                logs_specs=DefaultLogsSpecs(logs),
            )
            early = signals.requested()
        with signals.handle_signals(tell=_forward_to(context)):
            if early:
                context.close()
                raise signals.StoppedError(early, "before any work")
            result = context.wait(period=0.2)
            if result is None or not result.is_failed():
                return 0
            message, code = _explain_first_failure(result.failures.values())
            if code == 1 and signals.requested():  # processes that have just begun are ended by the signal itself
                signals.raise_if_stopped("before any work")
    print(message, file=sys.stderr)
    return code


def _forward_to(context: "PContext") -> Callable[[int], None]:
    """Passes a signal on to each process: not to those that load data for it."""

    def forward(number: int) -> None:
        for process in context.pids().values():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    return forward


def _explain_first_failure(failures: "Iterable[ProcessFailure]") -> tuple[str, int]:
    """Message and exit code of the process that failed first; the others are ended because of it.

    Where a signal asked all to stop, the first to say where it stopped counts.
    """
    by_time = sorted(failures, key=lambda failure: failure.timestamp)
    reported = [failure for failure in by_time if Path(failure.error_file).is_file()]
    first = reported[0] if reported and signals.requested() else by_time[0]
    if first in reported:
        return first.message, first.exitcode
    process = f"error: process {first.local_rank}"
    if -first.exitcode == signal.SIGKILL:
        return (
            f"{process} was ended by SIGKILL, most likely by the system for lack of memory; use fewer --processes or "
            "--workers, raise the stage's `accumulate`, or add --set runtime.fit_memory=true, then run again: "
            f"{RESUME}"
        ), 2
    if first.exitcode < 0:
        name = signal.Signals(-first.exitcode).name
        return f"{process} was ended by {name}; {RESUME}, and with --debug says where it happened", 1
    return f"{process} ended with exit code {first.exitcode} and without an error message; {RESUME}", 1
