"""Two processes compute what one computes: every method's parameters, exported files, and whole-number counts."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from pipelines.definition import loading as pipelines
from pipelines.networks import build_networks, needed_networks
from segda.artefacts import manifest as manifests
from segda.engine import checkpoint
from tests.distributed.conftest import (
    BEGUN,
    LAYOUTS,
    NAMES,
    NORMALISED,
    SAMPLED,
    SHARED,
    TRAINED,
    WRITTEN,
    Runs,
    run,
)
from tests.float64 import double

pytestmark = pytest.mark.distributed

# Sums of float64 in another order: a gradient adds up to 4 x 32 x 32 pixels, so a share of 4096 x 2.2e-16 = 1e-12 of it
# may differ, and normalisation and three steps make that larger. Differences are compared with what training changed,
# so that a gradient that is wrong by a factor is noticed, however small the steps.
SHARE, ROUNDING = 1e-8, 1e-13
# Image pools and a judge; critics with a penalty; a teacher; reversal. tests/equivalence/test_batch_split.py tests for
# every method that the halves of a batch average to the whole.
ACCUMULATED = ("cyclegan_semantic", "i2i", "self_training", "dann")


@cache
def config_of(file: Path) -> Any:
    return pipelines.load(str(file))


def state(runs: Runs, method: str) -> dict[str, Tensor]:
    """Everything in the checkpoint after three steps, except the random states of the processes."""
    tensors = load_file(runs.folder(method) / "checkpoints" / "step-00000003" / "tensors.safetensors")
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("random/")}


def initial(file: Path, method: str) -> dict[str, Tensor]:
    """The networks before the first step, by their names in a checkpoint."""
    config = config_of(file).stage(method).config
    needs = needed_networks(config.method)
    with double():
        built = build_networks(config.networks, needs, tied=config.method.tied, classes=19, seed=config.seed)
    return {f"networks/{name}": value for name, value in checkpoint.flatten(built.modules).items()}


def assert_equal(actual: dict[str, Tensor], expected: dict[str, Tensor], before: dict[str, Tensor]) -> None:
    assert actual.keys() == expected.keys()
    for name, tensor in expected.items():
        start = before.get(name.replace("average/", "networks/"), torch.zeros_like(tensor))
        change = float((tensor - start).abs().max())
        difference = float((actual[name] - tensor).abs().max())
        assert difference <= SHARE * change + ROUNDING, f"{name}: off by {difference:.3g}, trained by {change:.3g}"


@pytest.mark.promise("processes-equal-one", "recompute")
@pytest.mark.parametrize("method", [*NAMES, *NORMALISED, *SAMPLED])
def test_three_steps_of_a_method(file: Path, one: Runs, two: Runs, method: str) -> None:
    """Networks, discriminators, momenta, moving average and image pool, at the same effective batch."""
    expected = state(one, method)
    assert manifests.load(two.folder(method)).provenance["world_size"] == 2
    assert_equal(state(two, method), expected, initial(file, method))
    kinds = {name.split("/")[0] for name in expected}
    assert {"networks", "optimizers"} <= kinds
    assert ("pools" in kinds) == method.startswith(("cyclegan", "cycada_pixel"))
    if method in NORMALISED:
        assert any("running_var" in name for name in expected)


@pytest.fixture(scope="module")
def accumulated(file: Path, one: Runs, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("accumulated")
    one.copy(root, [*SHARED, "export"])
    return run(file, root, [f"stages.{method}.accumulate=2" for method in ACCUMULATED], ACCUMULATED)


@pytest.mark.promise("micro-batches-equal-one")
@pytest.mark.parametrize("method", ACCUMULATED)
def test_two_micro_batches(file: Path, one: Runs, accumulated: Runs, method: str) -> None:
    assert_equal(state(accumulated, method), state(one, method), initial(file, method))


@pytest.mark.promise("ungathered-warning")
def test_statistics_that_are_not_gathered_are_reported_and_differ(file: Path, one: Runs, two: Runs) -> None:
    """One line names the stage that does not gather them; the others are equal thanks to the option."""
    lines = [line for line in two.output.splitlines() if "statistics of 1/2 of each batch" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{two.folder('split').name}: batch normalisation (encoder, head): ")
    with pytest.raises(AssertionError, match="off by"):
        assert_equal(state(two, "split"), state(one, "split"), initial(file, "split"))


@pytest.mark.promise("export-over-processes")
@pytest.mark.parametrize("stage", ["export", "export_one", *(f"export_{layout}" for layout in LAYOUTS)])
def test_exported_files_are_the_same(one: Runs, two: Runs, stage: str) -> None:
    """In every layout; one image is fewer than processes."""
    expected = manifests.verify(one.folder(stage), full=True).outputs
    assert manifests.verify(two.folder(stage), full=True).outputs == expected
    images = json.loads((one.folder(stage) / "dataset.json").read_text())["keys"]
    assert len(images) == (1 if stage == "export_one" else 7)
    if stage in ("export", "export_one"):
        assert len(expected) == 2 * len(images) + 1


@pytest.mark.promise("evaluation-over-processes")
@pytest.mark.parametrize(("stage", "images"), [("scores", 3), ("score_one", 1)])
def test_counts_are_the_same(one: Runs, two: Runs, stage: str, images: int) -> None:
    """Of an odd number of images, and of fewer than there are processes."""
    rows = [json.loads((runs.folder(stage) / "evaluation.json").read_text())["one"] for runs in (one, two)]
    assert rows[0]["confusion"] == rows[1]["confusion"]
    assert rows[0]["scores"] == rows[1]["scores"]
    assert [row["protocol"]["images"] for row in rows] == [images, images]


def published(runs: Runs, stage: str) -> dict[str, Tensor]:
    """The networks that a stage published, by the names of a checkpoint."""
    return {
        f"networks/{path.stem}/{name}": tensor
        for path in (runs.folder(stage) / "networks").glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def assert_resumed(begun: Path, finished: Path) -> None:
    """An export did not write again the files that existed, and is equal as a whole."""
    assert manifests.verify(finished, full=True).outputs == manifests.verify(begun, full=True).outputs
    for kind in ("images", "labels"):
        times = [
            {path.name: path.stat().st_mtime_ns for path in sorted((folder / kind).rglob("*.png"))}
            for folder in (begun, finished)
        ]
        same = [times[0][name] == times[1][name] for name in times[0]]
        assert same == [True] * WRITTEN + [False] * (7 - WRITTEN)


@pytest.mark.promise("process-count-skips")
def test_what_one_process_did_two_skip_and_what_it_began_they_finish(file: Path, one: Runs, two: Runs) -> None:
    for stage in SHARED:
        assert f"] {stage}: done, " in two.output
        assert manifests.load(two.folder(stage)).provenance["world_size"] == 1
    for stage in BEGUN:
        assert f"] {stage}: resume (begun, not finished)" in two.output
        assert manifests.load(two.folder(stage)).provenance["world_size"] == 2
    assert two.output.count("going on with 2 processes what 1 began") == 1
    assert_equal(published(two, BEGUN[0]), published(one, BEGUN[0]), initial(file, BEGUN[0]))
    steps = [json.loads(line)["step"] for line in (two.folder(BEGUN[0]) / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, int(str(TRAINED["steps"])) + 1))
    assert_resumed(one.folder(BEGUN[1]), two.folder(BEGUN[1]))


@pytest.mark.promise("process-count-skips")
def test_what_two_processes_did_one_skips_and_what_they_began_it_finishes(
    file: Path, one: Runs, two: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, done = ("dann", "export"), ("cdan", "export_one", "scores")
    two.copy(tmp_path, [*SHARED, "street", *done])
    two.copy_begun(tmp_path, begun)
    last = run(file, tmp_path, only=[*begun, *done])
    output = capsys.readouterr().out
    for stage in done:
        assert f"] {stage}: done, " in output
        assert manifests.load(last.folder(stage)).provenance["world_size"] == 2
    for stage in begun:
        assert f"] {stage}: resume (begun, not finished)" in output
        assert manifests.load(last.folder(stage)).provenance["world_size"] == 1
    assert "going on with 1 processes what 2 began" in output
    assert_equal(published(last, "dann"), published(one, "dann"), initial(file, "dann"))
    assert_resumed(two.folder("export"), last.folder("export"))


@pytest.mark.promise("logged-means")
def test_logged_losses_are_means_over_processes(one: Runs, two: Runs) -> None:
    lines = [(runs.folder("i2i") / "log.jsonl").read_text().splitlines() for runs in (one, two)]
    assert len(lines[0]) == len(lines[1]) == 4
    for expected, actual in zip(*lines, strict=True):
        assert json.loads(actual)["losses"] == pytest.approx(json.loads(expected)["losses"], rel=SHARE, abs=ROUNDING)


@pytest.mark.parametrize("method", [*NAMES, *NORMALISED, *SAMPLED])
def test_the_comparison_can_fail(file: Path, one: Runs, method: str) -> None:
    """Three steps change every network that a method has by far more than rounding."""
    expected, before = state(one, method), initial(file, method)
    changes: dict[str, float] = {}
    for name, tensor in before.items():
        network = name.split("/")[1]
        changes[network] = max(changes.get(network, 0.0), float((expected[name] - tensor).abs().max()))
    assert min(changes.values()) > 100 * ROUNDING, changes
    other = {name: tensor + 10 * SHARE * (tensor - before.get(name, 0)) for name, tensor in expected.items()}
    with pytest.raises(AssertionError, match="off by"):
        assert_equal(other, expected, before)
