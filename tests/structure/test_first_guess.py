"""A newcomer's first guess is right: the names of files and folders alone say where things are."""

import re
from pathlib import Path

import pytest

from tests.structure.source import ROOT

# Question to the file or folder that answers it.
ANSWERS = {
    "cycle loss": "segda/objectives/terms/cycle.py",
    "GTA5 reader": "segda/data/readers/gta5.py",
    "gradient reversal": "segda/networks/layers/gradient_reversal.py",
    "EMA": "segda/engine/ema.py",
    "checkpoint": "segda/engine/checkpoint.py",
    "learning rate schedule": "segda/engine/learning_rate.py",
    "discriminators": "segda/networks/discriminators",
    "data loader": "segda/data/loader.py",
    "FDA": "segda/transfer/fourier.py",
    "manifest": "segda/artefacts/manifest.py",
    "log": "segda/engine/log.py",
    "health": "segda/engine/health.py",
    "optimizers": "segda/engine/optimizers.py",
    "determinism": "segda/engine/determinism.py",
    "resume": "segda/engine/resume.py",
    "crop": "segda/data/augmentation/crop.py",
    "augmentation": "segda/data/augmentation",
    "mIoU": "segda/metrics/mean_iou.py",
    "seed": "segda/seeds.py",
    "progress bar": "segda/terminal/progress.py",
    "SyncBatchNorm": "segda/engine/synchronized_batch.py",
    "gradient checkpointing": "segda/engine/activation_checkpointing.py",
    "out of memory": "segda/engine/out_of_memory.py",
    "file lock": "segda/artefacts/lock.py",
}
# What else one would search for: the main word of the question, or another name of the same thing.
SEARCHED = {
    "cycle loss": "cycle",
    "GTA5 reader": "gta5",
    "learning rate schedule": "learning rate",
    "data loader": "loader",
    "FDA": "fourier",  # Fourier domain adaptation
    "mIoU": "mean iou",
    "seed": "seeds",
    "progress bar": "progress",
    "SyncBatchNorm": "synchronized batch",
    "gradient checkpointing": "activation checkpointing",
    "file lock": "lock",
}
FILES = [path for folder in ("segda", "pipelines") for path in (ROOT / folder).rglob("*.py")]
PATHS = {path for file in FILES for path in (file, file.parent) if path.stem != "__init__"}


def named(words: str) -> list[Path]:
    """Files and folders with these words in their own name."""
    return [path for path in PATHS if set(words.lower().split()) <= set(re.split("_", path.stem))]


@pytest.mark.parametrize("question", ANSWERS)
def test_names_alone_answer(question: str) -> None:
    """Of the names that have the words, the answer's is the shortest, so no other is taken for it."""
    answer = ROOT / ANSWERS[question]
    matches = named(SEARCHED.get(question, question))
    assert answer in matches
    assert len(answer.stem) == min(len(path.stem) for path in matches), matches
