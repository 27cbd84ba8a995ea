"""The streets pipeline, small enough to run in seconds, and functions that kill it at a chosen event."""

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import cv2

from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.artefacts.store import Store
from segda.engine.session import Session
from tools.soaking.faults import injected

# The pool holds fewer images than the discriminators see, so that it decides what they see; the threshold lets the
# teacher's labels count; dropout draws from torch's own random state.
PIPELINE = """
base: streets
runtime: {workers: 0, save_every: 2, log_every: 2, cpu: true}
defaults:
  supervise: &plain {augment: {scale: null, photometry: null}, sampling: null}
  align: *plain
stages:
  streets: {rendered: 6, camera_train: 6, camera_val: 3, size: [64, 128]}
  source: &small
    data: &whole {resize: null}
    networks: {encoder: {width: 4}, head: {width: 4}}
    steps: 5
    batch: 2
    crop: [32, 64]
  translate:
    source: *whole
    target: *whole
    method: {base: cyclegan, terms: {translation_adversarial: {pool: 3}}}
    networks: {encoder: {width: 4}, discriminators: {image: {width: 4}}}
    steps: 5
    batch: 2
    crop: [32, 32]
  adapted: {data: *whole}
  pixel: *small
  feature: &aligned
    source: *whole
    target: *whole
    method: {base: self_training, terms: {self_training: {threshold: 0.05}}}
    networks: {encoder: {width: 4}, head: {width: 4}}
    steps: 5
    batch: 2
    crop: [32, 64]
    ema: 0.9
  both: *aligned
  oracle:
    <<: *small
    networks: {encoder: {width: 4}, head: {name: linear, dropout: 0.5, width: null}}
  evaluate: {data: {resize: [32, 64]}}
  report: {source: *whole, data: {resize: [32, 64]}, embedding: 20}
"""
STAGES = (
    "streets", "source", "translate", "adapted", "pixel", "feature", "both", "oracle", "evaluate", "report"
)  # fmt: skip
TRAINING = ("source", "translate", "feature", "oracle")


def write(folder: Path) -> Path:
    file = folder / "tiny.yaml"
    file.write_text(PIPELINE)
    return file


def run(file: Path, runs: Path, settings: Sequence[str] = (), only: Sequence[str] = ()) -> None:
    loaded = pipelines.load(str(file), settings)
    run_pipeline(loaded, Store(runs), Session(cpu=True), only)


def folder(runs: Path, stage: str) -> Path:
    """The folder of a stage's result in the last run."""
    return runs / json.loads((runs / "tiny.lock.json").read_text())["stages"][stage]["folder"]


def manifest(runs: Path, stage: str) -> Manifest:
    return manifests.verify(folder(runs, stage), full=True)


def hashes(runs: Path, stages: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of every published file of the stages."""
    return {
        f"{stage}/{name}": described["sha256"]
        for stage in stages
        for name, described in manifest(runs, stage).outputs.items()
    }


def without(finished: Path, runs: Path, *stages: str) -> Path:
    """A copy of finished runs without the folders of some stages."""
    names = [folder(finished, stage).name for stage in stages]
    shutil.copytree(finished, runs, ignore=lambda _, children: [name for name in children if name in names])
    return runs


def killed(work: Callable[[], None], fatal: int, kinds: Sequence[str] = ("replace", "rename", "step")) -> bool:
    """Do `work` in a forked process that kills itself at event number `fatal`; return whether it did.

    A fork has torch loaded already, so a kill costs a fraction of a second. It must compute in one thread (fixture
    `one_thread`), because torch's other threads do not survive a fork.
    """

    def doomed() -> None:
        with injected(Path("/"), fatal, kinds=kinds):
            work()

    return died(fork(doomed))


def fork(work: Callable[[], object]) -> int:
    """Do `work` in a forked process that leads its own process group; return its id."""
    assert threading.active_count() == 1, f"a fork with threads running may hang: {threading.enumerate()}"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            cv2.setNumThreads(0)  # its threads do not survive a fork
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return child


def died(child: int) -> bool:
    """Wait for a forked process, kill its remaining children, and return whether it died by SIGKILL."""
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the run failed by itself"
    return False
