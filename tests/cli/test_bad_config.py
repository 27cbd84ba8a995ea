"""Invalid configs: one line with the key, the expected value and the closest valid name, before any work."""

from pathlib import Path

import pytest

from tests.cli.conftest import Refused

SETTINGS = {
    "unknown key": ("stages.source.stpes=3", ["stages.source.stpes", "unknown key", "'steps'"]),
    "unknown option": ("stages.source.networks.encoder.widht=8", ["networks.encoder.widht", "'width'"]),
    "unknown term": ("stages.source.method={terms: {clasification: {weight: 1}}}", ["'classification'"]),
    "unknown option of a term": (
        "stages.translate.method.terms.cycle.wieght=3", ["stages.translate.method.terms.cycle.wieght", "'weight'"]
    ),
    "unknown encoder": ("stages.source.networks.encoder.name=smal", ["networks.encoder.name", "'small'"]),
    "unknown method": ("stages.source.method=sorce_only", ["stages.source.method", "'source_only'"]),
    "unknown data set": ("stages.source.data=gta", ["stages.source.data", "'gta5'"]),
    "unknown label space": ("task.labels=citiscapes", ["task.labels", "'cityscapes'"]),
    "unknown stage": ("stages.adapted.translator.from=trnslate", ["stages.adapted.translator", "'translate'"]),
    "wrong type": ("stages.source.steps=many", ["stages.source.steps", "'many'", "whole number"]),
    "text for a number": ("stages.source.optimizer.learning_rate=fast", ["learning_rate", "'fast'", "a number"]),
    "out of range": ("stages.source.batch=0", ["stages.source.batch", "found 0", "above 0"]),
    "crop and stride": ("stages.source.crop=[30, 36]", ["stages.source: crop", "[30, 36]", "stride 8", "[24, 32]"]),
    "batch and micro-batches": ("stages.source.accumulate=3", ["stages.source.batch: 4", "x 3 micro", "multiple of 3"]),
    "no head": ("stages.source.networks.head=", ["stages.source", "head"]),
    "no decoder": ("stages.translate.networks.decoder=", ["stages.translate", "decoder"]),
    "no discriminator": ("stages.translate.networks.discriminators={}", ["stages.translate", "discriminators.image"]),
    "no segmenting discriminator": (
        "stages.translate.method=cyclegan_semantic", ["stages.translate", "patch70", "semantic_patch"]
    ),
    "no teacher": ("stages.translate.method=self_training", ["stages.translate: ema", "teacher", "ema: 0.99"]),
    "no pretrained weights": (
        "stages.translate.method={terms: {feature_distance: {weight: 1}}}",
        ["stages.translate", "terms.feature_distance", "'pretrained'", "networks.encoder.weights"],
    ),
    "negative weight": ("stages.translate.method.terms.cycle.weight=-1", ["stages.translate", "cycle", "weight", "-1"]),
    "row without a head": ("stages.evaluate.rows.x.from=translate", ["stages.evaluate.rows.x", "no head", "source"]),
    "start from what has no networks": (
        "stages.translate.init.from=evaluate", ["stages.translate.init", "no encoder", "kind evaluate", "source"]
    ),
    "stride without a window": (
        "stages.evaluate.augmentation={stride: [4, 4]}", ["stages.evaluate.augmentation", "stride: [4, 4]", "window"]
    ),
    "scale of nothing": (
        "stages.evaluate.augmentation={scales: [0]}", ["stages.evaluate.augmentation.scales", "above 0"]
    ),
    "translator without a decoder": (
        "stages.adapted.translator.from=source", ["stages.adapted.translator", "no decoder", "translate"]
    ),
    "missing base": ("stages.source.data={base: gone.yaml}", ["stages.source.data", "gone.yaml", "no such file"]),
}  # fmt: skip


@pytest.mark.promise("one-line-errors")
@pytest.mark.parametrize(("setting", "parts"), SETTINGS.values(), ids=SETTINGS)
def test_one_line_names_key_and_remedy(data: Path, refused: Refused, setting: str, parts: list[str]) -> None:
    line = refused("job.yaml", "--set", setting)
    for part in parts:
        assert part in line, line
    # Nothing was started: not even the runs folder exists.
    assert not Path("runs").exists()


@pytest.mark.parametrize("setting", ["boundary=true", "augmentation={window: [8, 8]}"])
def test_whole_images_have_neither_borders_nor_windows(data: Path, refused: Refused, setting: str) -> None:
    line = refused("moons", "--set", f"stages.evaluate.{setting}")
    assert "stages.evaluate" in line
    assert "boundary and augmentation.window need label maps" in line


@pytest.mark.promise("oracle")
@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("source.data", ["stages.source.data={base: cityscapes}"]),
        ("source.data", ["stages.source.data={base: cityscapes, resize: [24, 48]}"]),
        ("translate.source", ["stages.translate.source={base: cityscapes}"]),
        ("adapted.data", ["stages.adapted.data={base: cityscapes}"]),
    ],
)
def test_target_labels_train_nothing_but_an_oracle(
    data: Path, refused: Refused, stage: str, settings: list[str]
) -> None:
    line = refused("job.yaml", *[word for setting in settings for word in ("--set", setting)])
    assert f"stages.{stage}: cityscapes" in line
    assert "target of stage 'translate'" in line
    assert ("method: oracle" in line) == stage.startswith("source")


@pytest.mark.promise("oracle")
@pytest.mark.parametrize("field", ["init={from: source}", "judge={from: source}", "average_with=[{from: source}]"])
def test_what_learned_target_labels_teaches_nothing_but_an_oracle(data: Path, refused: Refused, field: str) -> None:
    oracle = ["--set", "stages.source.data={base: cityscapes}", "--set", "stages.source.method=oracle"]
    line = refused("job.yaml", *oracle, "--set", f"stages.translate.{field}")
    assert f"stages.translate.{field.split('=')[0]}" in line
    assert "stage 'source' learned the labels of a target set" in line


@pytest.mark.parametrize(
    "settings",
    [
        ["stages.source.data={base: cityscapes}", "stages.source.method=oracle"],
        ["stages.source.data={base: cityscapes, split: val}"],  # another split is another data set
        ["stages.source.data={base: cityscapes}", "stages.translate=", "stages.adapted="],  # no stage's target
    ],
)
def test_other_uses_of_target_labels_are_free(
    data: Path, capsys: pytest.CaptureFixture[str], settings: list[str]
) -> None:
    from pipelines.__main__ import main

    assert main(["job.yaml", "--plan", *[word for setting in settings for word in ("--set", setting)]]) == 0
    assert capsys.readouterr().err == ""


def test_a_damaged_file_of_weights(data: Path, refused: Refused) -> None:
    (data / "weights").mkdir()
    (data / "weights" / "resnet18.safetensors").write_bytes(b"PK\x03\x04 and nothing more")
    encoder = "stages.source.networks.encoder={name: dilated_resnet, depth: 18, weights: weights/resnet18.safetensors}"
    line = refused("job.yaml", "--only", "source", "--set", encoder)
    assert f"weights {data / 'weights' / 'resnet18.safetensors'}: not readable" in line


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("stages: [", ["bad.yaml", "line"]),
        ("- a\n- b\n", ["bad.yaml", "mapping"]),
        ("", ["bad.yaml"]),
        ("task: {name: segmentation, labels: cityscapes}\n", ["stages", "missing"]),
        ("base: bad\n", ["bad.yaml", "base"]),
        ("base: strets\n", ["base", "'streets'"]),
        ("task: 3\nstages: {a: {kind: supervise}}\n", ["task", "3"]),
        ("a: 1\na: 2\n", ["bad.yaml", "a"]),
    ],
)
def test_a_wrong_file(data: Path, refused: Refused, text: str, parts: list[str]) -> None:
    Path("bad.yaml").write_text(text)
    line = refused("bad.yaml")
    for part in parts:
        assert part in line, line


def test_a_missing_file(data: Path, refused: Refused) -> None:
    assert "gone.yaml: no such file" in refused("gone.yaml")
    assert "did you mean 'streets'" in refused("run", "street")


@pytest.mark.promise("no-pickles")
def test_weights_that_were_not_imported_are_refused_before_any_work(
    data: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing the weights file named in the config does not change the key."""
    import torch

    from pipelines.definition import loading
    from pipelines.planning import plan
    from segda.artefacts.store import Store
    from segda.networks import import_weights

    monkeypatch.setenv("SEGDA_IMPORTED", "imported")
    (data / "weights").mkdir()
    torch.save({"stray": torch.ones(1)}, data / "weights" / "resnet18.pth")
    encoder = "stages.source.networks.encoder={name: dilated_resnet, depth: 18, weights: weights/resnet18.pth}"

    def key() -> str:
        return plan.make_plan(loading.load("job.yaml", [encoder]), Store(Path("runs")))[0].key

    before = key()
    line = refused("job.yaml", "--set", encoder)
    assert f"segda import {data / 'weights' / 'resnet18.pth'}" in line
    assert not list(Path("runs").glob("*/stage.json"))
    import_weights.keep(data / "weights" / "resnet18.pth")
    assert key() == before
    assert "none of its 1 tensors has such a name" in refused("job.yaml", "--only", "source", "--set", encoder)
