"""Two processes compute what one computes: every method's parameters, exported files, and whole-number counts."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipelines import pipeline as pipelines
from pipelines import training
from segda.artefacts import manifest as manifests
from segda.engine import checkpoint
from segda.objectives import objective as objectives
from tests.distributed.conftest import NAMES, SHARED, Runs, run

pytestmark = pytest.mark.distributed

# float32 sums in another order. Differences are measured in parts of what training changed, since a gradient that is
# off by a factor, however small the steps, must be noticed; the kinks of WGAN-GP's second derivatives need the most.
SHARE, ROUNDING = 1e-3, 1e-6


def state(runs: Runs, method: str) -> dict[str, Tensor]:
    """All that the checkpoint after three steps holds, but for each process's random state."""
    tensors = load_file(runs.folder(method) / "checkpoints" / "step-00000003" / "tensors.safetensors")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("random/")}


def initial(file: Path, method: str) -> dict[str, Tensor]:
    """The networks before the first step, by their names in a checkpoint."""
    config = pipelines.load(str(file)).stage(method).config
    needs = objectives.needs(objectives.build(config.method.terms))
    built = training.build_networks(config.networks, needs, tied=config.method.tied, classes=19, seed=config.seed)
    return {f"networks/{name}": value for name, value in checkpoint.flatten(built.modules).items()}


def assert_equal(found: dict[str, Tensor], expected: dict[str, Tensor], before: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        start = before.get(name.replace("average/", "networks/"), torch.zeros_like(tensor))
        change = float((tensor - start).abs().max())
        difference = float((found[name] - tensor).abs().max())
        assert difference <= SHARE * change + ROUNDING, f"{name}: off by {difference:.3g}, trained by {change:.3g}"


@pytest.mark.parametrize("method", NAMES)
def test_three_steps_of_a_method(file: Path, one: Runs, two: Runs, method: str) -> None:
    """Networks, discriminators, momenta, moving average and image pool, at the same effective batch."""
    expected = state(one, method)
    assert manifests.load(two.folder(method)).provenance["world_size"] == 2
    assert_equal(state(two, method), expected, initial(file, method))
    kinds = {name.split("/")[0] for name in expected}
    assert {"networks", "optimizers"} <= kinds
    assert ("pools" in kinds) == method.startswith(("cyclegan", "cycada_pixel"))


@pytest.fixture(scope="module")
def accumulated(file: Path, one: Runs, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("accumulated")
    for name in SHARED:
        shutil.copytree(one.folder(name), root / one.folder(name).name)
    return run(file, root, [f"stages.{method}.accumulate=2" for method in NAMES], NAMES)


@pytest.mark.parametrize("method", NAMES)
def test_two_micro_batches(file: Path, one: Runs, accumulated: Runs, method: str) -> None:
    assert_equal(state(accumulated, method), state(one, method), initial(file, method))


def test_exported_files_are_the_same(one: Runs, two: Runs) -> None:
    expected = manifests.verify(one.folder("export"), full=True).outputs
    assert manifests.verify(two.folder("export"), full=True).outputs == expected
    assert len(expected) == 2 * 7 + 1


def test_counts_are_the_same(one: Runs, two: Runs) -> None:
    rows = [json.loads((runs.folder("scores") / "evaluation.json").read_text())["one"] for runs in (one, two)]
    assert rows[0]["confusion"] == rows[1]["confusion"]
    assert rows[0]["scores"] == rows[1]["scores"]
    assert [row["protocol"]["images"] for row in rows] == [3, 3]


def test_logged_losses_are_means_over_processes(one: Runs, two: Runs) -> None:
    lines = [(runs.folder("i2i") / "log.jsonl").read_text().splitlines() for runs in (one, two)]
    assert len(lines[0]) == len(lines[1]) == 4
    for expected, found in zip(*lines, strict=True):
        assert json.loads(found)["losses"] == pytest.approx(json.loads(expected)["losses"], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("method", NAMES)
def test_the_comparison_can_fail(file: Path, one: Runs, method: str) -> None:
    """Three steps change every network that a method has by far more than rounding."""
    expected, before = state(one, method), initial(file, method)
    changes: dict[str, float] = {}
    for name, tensor in before.items():
        network = name.split("/")[1]
        changes[network] = max(changes.get(network, 0.0), float((expected[name] - tensor).abs().max()))
    assert min(changes.values()) > 100 * ROUNDING, changes
    other = {name: tensor + 0.01 * (tensor - before.get(name, 0)) for name, tensor in expected.items()}
    with pytest.raises(AssertionError, match="off by"):
        assert_equal(other, expected, before)
