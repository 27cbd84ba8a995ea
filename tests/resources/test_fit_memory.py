"""`runtime.fit_memory`: steps in micro-batches if memory is short, and the same ones after a restart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipelines.__main__ import main
from pipelines.training import fit_memory
from segda.artefacts import manifest as manifests
from segda.networks.networks import Networks
from tests.cli.conftest import JOB, Refused
from tests.float64 import double

# No batch statistics, so that micro-batches change rounding alone.
PLAIN = JOB.replace("blocks: 1}, head: {name: small, width: 4}", "blocks: 1, norm: none}, head: {name: linear}")
WORDS = ["job.yaml", "--only", "source"]


@pytest.fixture
def job(data: Path) -> Path:
    Path("job.yaml").write_text(PLAIN)
    return Path("job.yaml")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let memory suffice for a number of samples at a time; returns the list of the sizes of all batches."""

    def limit(samples: int) -> list[int]:
        encode, sizes = Networks.encode, []

        def limited(self: Networks, image: torch.Tensor, domain: Any) -> Any:
            sizes.append(len(image))
            if len(image) > samples:
                torch.empty(1 << 60, dtype=torch.uint8)
            return encode(self, image, domain)

        monkeypatch.setattr(Networks, "encode", limited)
        return sizes

    return limit


def folder(runs: str) -> Path:
    return Path(runs) / json.loads(Path(runs, "job.lock.json").read_text())["stages"]["source"]["folder"]


def parameters(runs: str) -> dict[str, torch.Tensor]:
    paths = sorted((folder(runs) / "networks").glob("*.safetensors"))
    return {f"{path.stem}/{name}": value for path in paths for name, value in load_file(path).items()}


@pytest.mark.promise("fit-memory")
@double()
def test_the_smallest_number_that_fits_is_taken_and_reported(
    job: Path, room: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--runs", "whole"]) == 0
    key = manifests.load(folder("whole")).key
    sizes = room(2)
    assert main([*WORDS, "--set", "runtime.fit_memory=true"]) == 0
    assert sizes[0] == 4
    assert set(sizes[1:]) == {2}
    assert "fits memory with accumulate 2 (configured was 1), 2 samples at a time" in capsys.readouterr().out
    manifest = manifests.load(folder("runs"))
    assert (manifest.metrics["steps"], manifest.metrics["accumulate"]) == (2, 2)
    assert manifest.key == key, "it changes how, not what, is computed"
    expected, fitted = parameters("whole"), parameters("runs")
    # Sums over 4 x 32 x 32 pixels in another order: 1e-12 of them, which Adam divides by gradients of down to 1e-8.
    assert all(torch.allclose(fitted[name], expected[name], rtol=0, atol=1e-8) for name in expected)
    # Exactly what the config's own `accumulate` computes, so the dry run leaves no trace.
    assert main([*WORDS, "--set", "stages.source.accumulate=2", "--runs", "configured"]) == 0
    assert all(torch.equal(fitted[name], value) for name, value in parameters("configured").items())


def test_without_the_option_the_error_names_it(job: Path, room: Callable[[int], list[int]], refused: Refused) -> None:
    room(2)
    line = refused(*WORDS)
    assert "stages.source.accumulate (now 1, at most the batch of 4)" in line
    assert "runtime.fit_memory=true" in line


def test_what_does_not_fit_one_by_one_is_refused(job: Path, room: Callable[[int], list[int]], refused: Refused) -> None:
    sizes = room(0)
    assert "one sample at a time; lower its crop" in refused(*WORDS, "--set", "runtime.fit_memory=true")
    assert sizes == [4, 4, 2, 1], "the first of the trial before any work, on tensors without values"


def test_a_trial_leaves_memory_free(job: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_memory, "RESERVE", 1 << 60)
    assert "one sample at a time; lower its crop" in refused(*WORDS, "--set", "runtime.fit_memory=true")


def test_steps_that_lack_memory_after_a_trial(
    job: Path, room: Callable[[int], list[int]], refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_memory, "dry_run", lambda *arguments: None)
    room(2)
    line = refused(*WORDS, "--set", "runtime.fit_memory=true")
    assert "; raise stages.source.accumulate (to more than was found to fit, at most the batch of 4); else" in line


@pytest.mark.promise("fit-memory")
def test_a_restart_makes_the_same_steps(job: Path, room: Callable[[int], list[int]]) -> None:
    """Even with more memory than before."""
    room(2)
    assert main([*WORDS, "--set", "runtime.fit_memory=true"]) == 0
    (folder("runs") / "manifest.json").unlink()
    sizes = room(4)
    assert main([*WORDS, "--set", "runtime.fit_memory=true"]) == 0
    assert set(sizes) == {2}
