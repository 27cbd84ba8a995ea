"""`runtime.fit_memory`: steps in micro-batches where memory asks for it, and the same ones after a restart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pipelines.__main__ import main
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
    """Let memory suffice for so many samples at a time; gives the list of what was asked for."""

    def limit(samples: int) -> list[int]:
        encode, asked = Networks.encode, []

        def limited(self: Networks, image: torch.Tensor, domain: Any) -> Any:
            asked.append(len(image))
            if len(image) > samples:
                torch.empty(1 << 60, dtype=torch.uint8)
            return encode(self, image, domain)

        monkeypatch.setattr(Networks, "encode", limited)
        return asked

    return limit


def folder(runs: str) -> Path:
    return Path(runs) / json.loads(Path(runs, "job.lock.json").read_text())["stages"]["source"]["folder"]


def parameters(runs: str) -> dict[str, torch.Tensor]:
    paths = sorted((folder(runs) / "networks").glob("*.safetensors"))
    return {f"{path.stem}/{name}": value for path in paths for name, value in load_file(path).items()}


@double()
def test_the_smallest_number_that_fits_is_taken_and_told(
    job: Path, room: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*WORDS, "--runs", "whole"]) == 0
    key = manifests.load(folder("whole")).key
    asked = room(2)
    assert main([*WORDS, "--set", "runtime.fit_memory=true"]) == 0
    assert asked[0] == 4
    assert set(asked[1:]) == {2}
    assert "fits memory with accumulate 2 (configured was 1), 2 samples at a time" in capsys.readouterr().out
    manifest = manifests.load(folder("runs"))
    assert (manifest.metrics["steps"], manifest.metrics["accumulate"]) == (2, 2)
    assert manifest.key == key, "it is a matter of how, not of what"
    expected, found = parameters("whole"), parameters("runs")
    # Sums over 4 x 32 x 32 pixels in another order: 1e-12 of them, which Adam divides by gradients of down to 1e-8.
    assert all(torch.allclose(found[name], expected[name], rtol=0, atol=1e-8) for name in expected)
    # Exactly what the config's own `accumulate` computes, so the trial leaves no trace.
    assert main([*WORDS, "--set", "stages.source.accumulate=2", "--runs", "asked"]) == 0
    assert all(torch.equal(found[name], value) for name, value in parameters("asked").items())


def test_without_the_option_the_line_tells_of_it(job: Path, room: Callable[[int], list[int]], refused: Refused) -> None:
    room(2)
    line = refused(*WORDS)
    assert "stages.source.accumulate (now 1, at most the batch of 4)" in line
    assert "--set", "runtime.fit_memory=true" in line


def test_what_does_not_fit_by_ones_is_refused(job: Path, room: Callable[[int], list[int]], refused: Refused) -> None:
    asked = room(0)
    assert "one sample at a time; lower its crop" in refused(*WORDS, "--set", "runtime.fit_memory=true")
    assert asked == [4, 2, 1]


def test_a_restart_makes_the_same_steps(job: Path, room: Callable[[int], list[int]]) -> None:
    """Although there is more memory now."""
    room(2)
    assert main([*WORDS, "--set", "runtime.fit_memory=true"]) == 0
    (folder("runs") / "manifest.json").unlink()
    asked = room(4)
    assert main([*WORDS, "--set", "runtime.fit_memory=true"]) == 0
    assert set(asked) == {2}
