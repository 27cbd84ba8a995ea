"""`segda select`: every criterion scores every row, target labels are not read, and oracles are marked."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.__main__ import main
from pipelines.networks import load_networks
from pipelines.scoring import selection as selecting
from segda.artefacts import manifest as manifests
from segda.engine import checkpoint
from segda.evaluation.predict import Predictor
from segda.metrics.selection import CRITERIA

ROWS = ["source only", "adapted"]
FREE = ["entropy", "neighbourhood density", "mutual information"]


pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def selected(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def run(*words: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["select", "colours", "--target", "target.yaml", "--json", *words]) == 0
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


def stage_folder(name: str) -> Path:
    lock = json.loads(Path("runs/colours.lock.json").read_text())
    return Path("runs") / lock["stages"][name]["folder"]


def test_no_label_of_the_target_is_needed(selected: Callable[..., dict[str, Any]]) -> None:
    result = selected("--target-root", "unlabelled")
    assert list(result["candidates"]) == ROWS
    assert list(result["picks"]) == FREE
    assert result["oracle"] is None
    assert result["target"]["labels_opened"] is False
    for name, pick in result["picks"].items():
        values = {row: result["candidates"][row]["scores"][name] for row in ROWS}
        best = max if CRITERIA[name].larger else min
        assert pick["candidate"] == best(values, key=lambda row: values[row])
        assert pick["uses_target_labels"] is False
    assert json.loads(Path("runs/colours.selection.json").read_text()) == result


def test_labels_beside_the_images_change_nothing_without_oracle(selected: Callable[..., dict[str, Any]]) -> None:
    unlabelled, labelled = selected("--target-root", "unlabelled"), selected()
    assert unlabelled["candidates"] == labelled["candidates"]
    assert unlabelled["picks"] == labelled["picks"]


def test_entropy_is_that_of_the_networks_predictions(selected: Callable[..., dict[str, Any]]) -> None:
    """Recomputed from the published networks with torch."""
    result = selected("--stage", "adapted")
    stage = stage_folder("after")
    networks = load_networks(stage, manifests.load(stage).config, ("encoder", "head"), torch.device("cpu"))
    images = torch.from_numpy(np.load("target/train.npz")["images"]).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        logits = networks.classify(networks.encode(images, "target")).mean(dim=(-2, -1))
    expected = torch.distributions.Categorical(logits=logits).entropy().mean()
    assert result["candidates"]["adapted"]["scores"]["entropy"] == pytest.approx(float(expected), abs=1e-5)


def test_the_source_brings_the_weighted_risks(selected: Callable[..., dict[str, Any]]) -> None:
    result = selected("--source", "source.yaml", "--target-root", "unlabelled")
    assert list(result["picks"]) == list(CRITERIA)
    assert result["source"]["labels_opened"] is True
    for candidate in result["candidates"].values():
        assert candidate["scores"]["weighted source risk"] >= 0


@pytest.mark.promise("oracle")
def test_the_oracle_is_labelled_as_such(
    selected: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    result = selected("--oracle")
    assert result["oracle"]["uses_target_labels"] is True
    assert result["oracle"]["measure"] == "accuracy"
    lock = json.loads(Path("runs/colours.lock.json").read_text())
    evaluation = json.loads((Path("runs") / lock["stages"]["evaluate"]["folder"] / "evaluation.json").read_text())
    assert result["oracle"]["scores"] == {row: evaluation[row]["scores"]["pixel_accuracy"] for row in ROWS}
    assert main(["select", "colours", "--target", "target.yaml", "--oracle"]) == 0
    text = capsys.readouterr().out
    assert "an oracle, no result may be selected by it" in " ".join(text.split())
    assert main(["select", "colours", "--target", "target.yaml", "--target-root", "unlabelled", "--oracle"]) == 2
    assert "labels" in capsys.readouterr().err


@pytest.mark.promise("oracle")
def test_what_was_trained_on_target_labels_is_never_picked(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same networks twice; the copy's manifest says that it was trained on target labels."""
    shutil.copytree("runs", tmp_path / "runs")
    shutil.copytree("target", tmp_path / "target")
    monkeypatch.chdir(tmp_path)
    stage = stage_folder("before")
    content = json.loads((stage / "manifest.json").read_text())
    del content["checksum"]  # as in manifests of older versions
    content["config"]["method"]["labels"] = "target"
    (stage / "manifest.json").write_text(json.dumps(content))
    target = ["--target", str(folder / "target.yaml")]
    assert main(["select", "colours", *target, "--json", "--oracle"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["candidates"]["source only"]["trained_on_target_labels"] is True
    assert {pick["candidate"] for pick in result["picks"].values()} == {"adapted"}
    assert result["oracle"]["candidate"] == "adapted"
    assert main(["select", "colours", *target]) == 0
    text = capsys.readouterr().out
    assert "source only (oracle)" in text
    assert "trained on labels of the target, so never picked" in text
    assert main(["select", "colours", *target, "--stage", "source only"]) == 2
    assert "trained on labels of the target" in capsys.readouterr().err


def test_checkpoints_are_scored_by_their_own_networks(
    selected: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    """At step 7 the head is zero, so its ten classes are equally likely; a moving average takes precedence."""
    stage = stage_folder("before")
    networks = load_networks(stage, manifests.load(stage).config, ("encoder", "head"), torch.device("cpu"))
    tensors = checkpoint.flatten(networks.modules)
    zero = {name: tensor * 0 if name.startswith("head/") else tensor for name, tensor in tensors.items()}
    folder = stage / "checkpoints"
    try:
        checkpoint.save(folder, 7, {f"networks/{name}": tensor for name, tensor in zero.items()}, {})
        checkpoint.save(folder, 30, {f"networks/{name}": tensor for name, tensor in tensors.items()}, {})
        result = selected("--checkpoints")["candidates"]
        assert list(result) == ["source only @ step 7", *ROWS], "the checkpoint of step 30 is the published one"
        assert (result["source only @ step 7"]["row"], result["source only @ step 7"]["step"]) == ("source only", 7)
        assert result["source only @ step 7"]["scores"]["entropy"] == pytest.approx(np.log(10), abs=1e-5)
        assert list(selected()["candidates"]) == ROWS, "only with --checkpoints"
        averages = {f"average/{name}": tensor for name, tensor in tensors.items()}
        checkpoint.save(folder, 7, {**averages, **{f"networks/{name}": tensor for name, tensor in zero.items()}}, {})
        result = selected("--checkpoints")["candidates"]
        assert result["source only @ step 7"]["scores"] == pytest.approx(result["source only"]["scores"])
        (folder / "step-00000007" / "tensors.safetensors").write_bytes(b"cut")
        assert main(["select", "colours", "--target", "target.yaml", "--checkpoints"]) == 2
        assert "step-00000007: damaged checkpoint (its checksum differs)" in capsys.readouterr().err
    finally:
        shutil.rmtree(folder)


def test_a_stage_alone_has_its_selection_beside_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    stage = stage_folder("after")
    before = sorted(stage.rglob("*"))
    assert main(["select", str(stage), "--target", "target.yaml", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["candidates"]) == ["after"]
    assert stage.with_name(f"{stage.name}.selection.json").is_file()
    assert sorted(stage.rglob("*")) == before, "a finished stage is not modified"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--count", "3"], "--count: 3; expected at least 16"),
        (["--pixels", "0"], "--pixels: 0; expected at least 1"),
        (["--source-split", "train"], "--source: missing"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["select", "colours", "--target", "target.yaml", *words]) == 2
    assert expected in capsys.readouterr().err


def test_a_map_gives_as_many_predictions_as_asked_for() -> None:
    """Two images of 4x6 pixels and three classes; pixel p of image i is certain of class (i + p) mod 3."""

    class Task:
        offers, evaluation_batch = ("label_map",), 1

        def probabilities(self, networks: Any, image: torch.Tensor, size: tuple[int, int], domain: str) -> torch.Tensor:
            assert domain == "target"
            classes = (torch.arange(24).view(1, *size) + int(image[0, 0, 0, 0] > 0)) % 3
            return torch.nn.functional.one_hot(classes, 3).permute(0, 3, 1, 2).float()

        def meter(self) -> Any:
            raise AssertionError("labels are not open")

    class Images:
        class Sample:
            label, image = None, Path("x.png")

        samples = (Sample, Sample)

        def read(self, index: int) -> tuple[np.ndarray, None]:
            return np.full((4, 6, 3), 255 * index, np.uint8), None

    def look(pixels: int, seed: int) -> np.ndarray:
        predictor = Predictor(None, Task())  # type: ignore[arg-type]
        settings = selecting.Settings(2, pixels, seed, False)
        return selecting.predict_samples(predictor, Images(), [0, 1], "target", settings).probabilities  # type: ignore[arg-type]

    assert look(24, 0).shape == (48, 3)
    assert look(24, 0).mean(axis=0) == pytest.approx([1 / 3] * 3)
    assert look(5, 0).shape == (10, 3)
    assert (look(5, 0) == look(5, 0)).all()
    assert (look(5, 0) != look(5, 1)).any(), "another seed draws other pixels"
