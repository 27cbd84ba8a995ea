"""Start several processes of this program on this machine, and tell of a failure once."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from segda.errors import ConfigError


def is_worker() -> bool:
    """Whether a launcher (ours, torchrun, `accelerate launch`) started this process as one of several."""
    return "LOCAL_RANK" in os.environ


def work(words: Sequence[str], notes: str) -> None:
    """What each started process does. It leaves its error as a file in `notes` for the process that started it."""
    from pipelines.__main__ import dispatch, explain

    try:
        code = dispatch(words)
    except (Exception, KeyboardInterrupt) as error:
        text, code = explain(error, "--debug" in words)
        note = {"time": time.monotonic_ns(), "text": text, "code": code}
        Path(notes, f"{os.environ['RANK']}.json").write_text(json.dumps(note))
    # The launcher stops all processes as soon as one has ended with a code other than 0. It ends at once: threads that
    # still wait for another process would abort an orderly end, and print so below the error.
    if code:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _first_failure(notes: str) -> tuple[str, int] | None:
    """Text and exit code of the process that failed first: others fail in its wake, with less to say."""
    found = [json.loads(path.read_text()) for path in Path(notes).glob("*.json")]
    told = [note for note in found if note["text"]] or found
    first = min(told, key=lambda note: note["time"], default=None)
    return None if first is None else (first["text"], first["code"])


def _silent(rank: int, code: int) -> tuple[str, int]:
    """Text and exit code for a process that ended without a word."""
    if code != -9:
        return f"error: process {rank} ended with exit code {code}", 1
    return (
        f"error: process {rank} was killed, most likely by the system for lack of memory; use fewer --processes or "
        "--workers, raise the stage's `accumulate`, or add --fit-memory, then run the same command again: it goes on "
        "from the last checkpoint"
    ), 2


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
    """
    if processes < 1:
        raise ConfigError(f"--processes: {processes}; expected at least 1")

    import logging

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
    with tempfile.TemporaryDirectory() as notes:
        try:
            elastic_launch(config, work)(list(words), notes)
        except SignalException as signalled:
            if signalled.sigval == 2:
                raise KeyboardInterrupt from None
            return 128 + int(signalled.sigval)
        except ChildFailedError as failed:
            rank, failure = failed.get_first_failure()
            text, code = _first_failure(notes) or _silent(rank, failure.exitcode)
            print(text, file=sys.stderr)
            return code
    return 0
