"""What a stage would refuse in its first second is refused by `--plan`, and by a run before any work."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from pipelines.definition import validation_cache

JOB = """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0}
stages:
  source:
    kind: supervise
    data: {name: folder, root: set, classes: {0: road, 1: car}}
    method: source_only
    networks: &small {encoder: {name: small, width: 4, blocks: 1}, head: {name: small, width: 4}}
    steps: 1
    batch: 2
    crop: [32, 32]
  aligned:
    kind: align
    source: &set {name: folder, root: set, classes: {0: road, 1: car}}
    target: &other {name: folder, root: other}
    method: {terms: {classification: {weight: 1.0}, target_entropy: {weight: 0.1}}}
    networks: *small
    init: {from: source}
    steps: 1
    batch: 2
    crop: [32, 32]
  exported:
    kind: export
    data: *set
    target: *other
    method: colour_statistics
"""
SMP = "stages.source.networks={encoder: {name: smp, encoder: resnet18%s}, head: {name: smp, decoder: %s}}"
WITHOUT_ALIGNED = "stages.aligned="


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with `job.yaml`, a data set of two images of 48x64 with labels, and another without."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    monkeypatch.setenv("SEGDA_CHECKED", str(tmp_path / "checked"))
    for folder in ("set/images/train", "set/labels/train", "other/images/train"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(2):
            shape = (48, 64) if "labels" in folder else (48, 64, 3)
            cv2.imwrite(str(tmp_path / folder / f"{number}.png"), np.zeros(shape, np.uint8))
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--processes", "0"], "--processes: 0; expected at least 1"),
        (["--processes", "4"], "stages.source.batch: 2 samples cannot be split evenly over 4 processes"),
        (["--set", "stages.source.accumulate=3"], "stages.source.batch: 2 samples cannot be split evenly"),
        (["--mixed-precision", "fp16"], "runtime.mixed_precision: 'fp16' asked for on a CPU"),
        (["--set", "runtime.mixed_precision=fp16"], "runtime.mixed_precision: 'fp16' asked for on a CPU"),
        (["--set", "stages.source.crop=[64,64]"], "stages.source.crop: [64, 64] (height, width) is larger than"),
        (["--set", "stages.source.data.resize=[16,64]"], "the images of data, [16, 64] at most"),
        (["--only", "aligned"], "stages.aligned: needs 'source', which is not finished"),
        (["--set", "stages.aligned.networks.encoder.width=8"], "stages.aligned: init: the encoder of stage 'source'"),
        (["--set", "stages.aligned.networks.encoder.width=8", "--set", "stages.aligned.init=",
          "--set", "stages.aligned.average_with=[{from: source}]"],
         "stages.aligned: average_with.0: the encoder of stage 'source' differs in"),
        (["--set", "stages.aligned.method.tied=false", "--set", "stages.aligned.average_with=[{from: source}]"],
         "stages.aligned: average_with.0: stage 'source' publishes encoder, head and no encoder.source, as this"),
        (["--set", WITHOUT_ALIGNED, "--set", SMP % ("", "unet"), "--set", "stages.source.batch=1"],
         "stages.source: its networks cannot take 1 samples of 32x32 (Expected more than 1 value per channel"),
        (["--set", WITHOUT_ALIGNED, "--set", SMP % (", output_stride: 16", "deeplabv3plus"), "--set",
          "stages.source.accumulate=2"], "stages.source: head smp: deeplabv3plus cannot train on a batch of 1"),
        (["--set", "stages.source.networks.head={name: linear, dropout: 1.5}"],
         "stages.source: head: linear with {'dropout': 1.5}: dropout probability has to be between 0 and 1"),
        (["--set", "stages.source.optimizer.betas=[0.9, 1.0]"], "stages.source.optimizer.betas.1: found 1.0"),
        (["--set", "stages.source.optimizer={name: sgd, momentum: 1}"], "stages.source.optimizer.momentum: found 1"),
        (["--set", "stages.source.augment.photometry={brightnes: 0.1}"],
         "stages.source: augment.photometry.brightnes: unknown key; did you mean 'brightness'?"),
        (["--set", "stages.source.runtime.cpu=false"], "stages.source.runtime.cpu: is the same for all stages of"),
        (["--set", "stages.source.data.pallette=1"], "data.pallette: unknown key; did you mean 'palette'?"),
        (["--set", "stages.source.augment.scale=[2, 1]"], "stages.source.augment.scale: found [2, 1]; expected the sm"),
        (["--set", "stages.aligned.method={base: self_training, terms: {self_training: {threshold: 1.0}}}"],
         "stages.aligned: terms.self_training.threshold: found 1.0, expected a confidence of at least 0, below 1"),
        (["--set", "stages.exported.method=class_colour_statistics"],
         "stages.exported: judge: missing; with method.transfer.by_class it predicts the classes of the target's"),
    ],
)  # fmt: skip
def test_a_plan_and_a_run_refuse_alike(
    job: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "job.yaml", *words, "--plan"]) == 2
    assert message in capsys.readouterr().err
    if "--processes" not in words:
        assert main(["run", "job.yaml", *words]) == 2
        assert message in capsys.readouterr().err
    assert not list(Path().glob("runs/*/stage.json"))


def test_what_was_refused_is_refused_again_and_what_passed_is_not_tried_again(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.planning import trial

    wrong = ["--set", "stages.aligned.networks.encoder.width=8"]
    assert [main(["run", "job.yaml", "--plan", *words]) for words in (wrong, [], wrong)] == [2, 0, 2]
    monkeypatch.delattr(trial, "refuse")
    assert main(["run", "job.yaml", "--plan"]) == 0


def test_a_random_scale_may_make_up_for_small_images(job: Path) -> None:
    words = ["--plan", "--set", "stages.source.crop=[64,64]", "--set", "stages.source.augment.scale=[0.5,2.0]"]
    assert main(["run", "job.yaml", *words]) == 0


def test_one_large_image_is_enough_for_a_crop(job: Path) -> None:
    for folder, shape in (("images", (80, 80, 3)), ("labels", (80, 80))):
        cv2.imwrite(str(job / "set" / folder / "train/9.png"), np.zeros(shape, np.uint8))
    assert main(["run", "job.yaml", "--plan", "--set", "stages.source.crop=[64,64]"]) == 0


def test_the_sources_own_layout_needs_images_that_can_be_written(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in [*(job / "set/images/train").iterdir()]:
        cv2.imwrite(str(file.with_suffix(".tiff")), cv2.imread(str(file)))
        file.unlink()
    endings = "stages.exported.data.image_endings=[.tiff]"
    words = ["run", "job.yaml", "--set", endings, "--set", "stages.source=", "--set", WITHOUT_ALIGNED]
    assert main([*words, "--plan"]) == 0
    capsys.readouterr()
    assert main([*words, "--plan", "--set", "stages.exported.layout=source"]) == 2
    assert "stages.exported.layout: source:" in capsys.readouterr().err


def test_a_set_of_a_finished_stage_is_opened_before_work(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "job.yaml", "--only", "exported"]) == 0
    capsys.readouterr()
    data = "{name: folder, root: {from: exported}, classes: {0: road}}"
    late = f"  late: {{kind: evaluate, data: {data}, rows: {{a: {{from: source}}}}}}"
    Path("job.yaml").write_text(JOB + late)
    for words in (["--plan"], []):
        assert main(["run", "job.yaml", *words]) == 2
        assert "error: stages.late.data: folder 'images/train' is missing below" in capsys.readouterr().err
    assert len(list(Path("runs").glob("*/stage.json"))) == 1, "nothing was trained"


def test_a_pair_that_is_none_is_refused(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--set", "stages.aligned.paired=true", "--set", "stages.aligned.target.exclude=['0']"]
    assert main(["run", "job.yaml", "--plan", *words]) == 2
    assert "stages.aligned.paired:" in capsys.readouterr().err


def test_weights_that_do_not_fit_are_refused_by_the_run_before_any_work(
    job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import safetensors.numpy

    safetensors.numpy.save_file({"x": np.zeros(1, np.float32)}, job / "other.safetensors")
    encoder = "{name: smp, encoder: resnet18, weights: other.safetensors}"
    networks = f"stages.aligned.networks={{encoder: {encoder}, head: {{name: small, width: 4}}}}"
    assert main(["run", "job.yaml", "--set", networks, "--set", "stages.aligned.init="]) == 2
    assert "do not fit" in capsys.readouterr().err
    assert not list(Path().glob("runs/*/stage.json"))


def test_a_tracker_without_its_package_is_refused_before_any_work(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(validation_cache, "installed_version", lambda package: None)
    for words in (["--plan"], []):
        assert main(["job.yaml", "--set", "runtime.trackers=[wandb]", *words]) == 2
        assert capsys.readouterr().err == (
            "error: runtime.trackers: wandb is not installed; run `pip install 'segda[wandb]'`, or leave it out\n"
        )
    assert not Path("runs").exists()


def test_trackers_are_in_no_key(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard")
    plans = []
    for words in ([], ["--set", "runtime.trackers=[tensorboard]"]):
        assert main(["job.yaml", "--plan", *words]) == 0
        plans.append(capsys.readouterr().out)
    assert plans[0] == plans[1]
