"""The main pipeline on a small scale: every stage, its outputs, and what makes it run again."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipelines.definition import loading as pipelines
from pipelines.networks import load_networks
from pipelines.planning import plan
from segda import label_space
from segda.artefacts.store import Store
from segda.data.readers import adapted, gta5
from tests.pipelines import tiny
from tools import readme_picture

ROWS = ["source only", "pixel", "feature", "pixel+feature", "oracle"]
# Both domains as plain data folders, without the stages that need target labels.
PLAIN = """
base: tiny
stages:
  streets: null
  adapted: null
  pixel: null
  both: null
  oracle: null
  evaluate: null
  report: null
  source: {data: {root: rendered}}
  translate: {source: {root: rendered}, target: {root: camera}}
  feature: {source: {root: rendered}, target: {root: camera}}
"""


def states(job: Path, runs: Path, *settings: str) -> dict[str, str]:
    planned = plan.make_plan(pipelines.load(str(job), settings), Store(runs))
    return {stage.stage: stage.state for stage in planned}


@pytest.mark.promise("finished-not-repeated")
def test_a_second_run_does_nothing(job: Path, finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def content() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.name != "tiny.lock.json"}

    before = content()
    before.pop(finished, None)
    tiny.run(job, finished)
    after = content()
    after.pop(finished, None)
    assert after == before
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"[{number}/10] {stage}: done" for number, stage in enumerate(tiny.STAGES, 1)
    ]


@pytest.mark.promise("change-reruns-dependents")
def test_a_change_makes_what_builds_on_it_run_again(job: Path, finished: Path) -> None:
    planned = states(job, finished, "stages.translate.method.terms.cycle.weight=9")
    again = {stage for stage, state in planned.items() if state == "run"}
    assert again == {"translate", "adapted", "pixel", "both", "evaluate", "report"}
    planned = states(job, finished, "stages.source.steps=6")
    again = {stage for stage, state in planned.items() if state == "run"}
    assert again == {"source", "feature", "evaluate", "report"}


@pytest.mark.promise("change-reruns-dependents")
def test_how_a_stage_is_run_is_no_change(job: Path, finished: Path) -> None:
    planned = states(job, finished, "runtime.save_every=3", "runtime.workers=2", "runtime.log_every=1")
    assert set(planned.values()) == {"done"}


def test_what_is_published_is_the_average_with_earlier_stages(job: Path, finished: Path, tmp_path: Path) -> None:
    """Of what a stage would publish, its weights' own average and statistics of target images, and of what they did."""
    runs = tiny.without(finished, tmp_path / "runs")
    tiny.run(job, runs, ["stages.feature.average_with=[{from: source}]"], ["feature"])
    for name in ("encoder.safetensors", "head.safetensors"):
        averaged, own, other = (
            load_file(tiny.folder(folder, stage) / "networks" / name)
            for folder, stage in ((runs, "feature"), (finished, "feature"), (finished, "source"))
        )
        assert averaged.keys() == own.keys()
        for key in averaged:
            mean = own[key] if key.endswith("num_batches_tracked") else (own[key] + other[key]) / 2
            torch.testing.assert_close(averaged[key], mean)
        assert any(not torch.equal(averaged[key], own[key]) for key in averaged)


@pytest.mark.promise("loading-changes-nothing")
def test_loading_processes_change_nothing(job: Path, finished: Path, tmp_path: Path) -> None:
    runs = tiny.without(finished, tmp_path / "runs", "translate")
    tiny.run(job, runs, ["runtime.workers=1"], ["translate"])
    assert tiny.hashes(runs, ["translate"]) == tiny.hashes(finished, ["translate"])


@pytest.mark.promise("damaged-output")
def test_a_lost_network_is_trained_again(job: Path, finished: Path, tmp_path: Path) -> None:
    runs = tiny.without(finished, tmp_path / "runs")
    (tiny.folder(runs, "source") / "networks" / "head.safetensors").unlink()
    assert {stage for stage, state in states(job, runs).items() if state == "run"} >= {"source"}
    tiny.run(job, runs)
    assert tiny.hashes(runs, tiny.STAGES[:-2]) == tiny.hashes(finished, tiny.STAGES[:-2])


@pytest.mark.promise("no-target-labels")
def test_adapting_opens_no_target_label(
    job: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without target labels the networks are the same, byte for byte."""
    data, runs = tmp_path / "data", tmp_path / "runs"
    shutil.copytree(tiny.folder(finished, "streets"), data)
    shutil.rmtree(data / "camera" / "gtFine")
    shutil.copy(job, tmp_path / "tiny.yaml")
    plain = tmp_path / "plain.yaml"
    plain.write_text(PLAIN)
    monkeypatch.setenv("SEGDA_DATA", str(data))
    tiny.run(plain, runs)
    lock = json.loads((runs / "plain.lock.json").read_text())["stages"]
    assert set(lock) == {"source", "translate", "feature"}
    for stage, entry in lock.items():
        for name in sorted(path.name for path in (tiny.folder(finished, stage) / "networks").iterdir()):
            expected = (tiny.folder(finished, stage) / "networks" / name).read_bytes()
            assert (runs / entry["folder"] / "networks" / name).read_bytes() == expected, f"{stage}/{name}"


@pytest.mark.promise("exported-images")
def test_the_exported_set_stands_alone(finished: Path, tmp_path: Path) -> None:
    """It can be moved, and has every source image once, with a new style and the source's labels."""
    root = tmp_path / "elsewhere"
    shutil.copytree(tiny.folder(finished, "adapted"), root)
    for name in ("manifest.json", "stage.json", ".lock"):
        (root / name).unlink(missing_ok=True)
    space = label_space.load("cityscapes")
    exported = adapted.build(root, space)
    source = gta5.build(tiny.folder(finished, "streets") / "rendered", space)
    assert [sample.key for sample in exported.samples] == [sample.key for sample in source.samples]
    assert len(exported) == 6
    for index in range(len(source)):
        image, label = exported.read(index)
        source_image, source_label = source.read(index)
        np.testing.assert_array_equal(label, source_label)
        assert image.shape == source_image.shape
        assert (image != source_image).any()
        # Any trainer can read it: 8-bit files, plain class indices.
        stored = cv2.imread(str(exported.samples[index].label), cv2.IMREAD_UNCHANGED)
        assert stored.dtype == np.uint8
        np.testing.assert_array_equal(stored, source_label)


@pytest.mark.promise("exported-images")
def test_the_exported_images_are_what_the_published_networks_draw(finished: Path) -> None:
    translate = tiny.folder(finished, "translate")
    config = tiny.manifest(finished, "translate").config
    networks = load_networks(translate, config, ("encoder", "decoder"), torch.device("cpu"))
    space = label_space.load("cityscapes")
    image, _ = gta5.build(tiny.folder(finished, "streets") / "rendered", space).read(0)
    batch = torch.from_numpy(image.transpose(2, 0, 1)).float()[None] / 127.5 - 1  # 64 x 128: no padding
    with torch.inference_mode():
        drawn = networks.decode(networks.encode(batch, "source"), "target")[0]
    expected = ((drawn + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    exported, _ = adapted.build(tiny.folder(finished, "adapted"), space).read(0)
    assert np.abs(exported.astype(int) - expected.astype(int)).max() <= 1  # rounding
    with torch.inference_mode():
        assert (drawn - batch[0]).abs().max() > 0.01


def test_scores_stand_beside_their_protocol(finished: Path) -> None:
    evaluations = json.loads((tiny.folder(finished, "evaluate") / "evaluation.json").read_text())
    assert list(evaluations) == ROWS
    pixels = 3 * 64 * 128  # of the labels, although the networks saw a quarter of that
    for name, evaluation in evaluations.items():
        protocol = evaluation["protocol"]
        assert protocol["dataset"] == "cityscapes"
        assert (protocol["split"], protocol["label_space"], len(protocol["classes"])) == ("val", "cityscapes", 19)
        assert (protocol["images"], protocol["resize"]) == (3, [32, 64])
        assert protocol["pixels_scored"] + protocol["pixels_ignored"] == pixels
        assert np.sum(evaluation["confusion"]["counts"]) == protocol["pixels_scored"]
        assert protocol["trained_on_target_labels"] == (name == "oracle")
        assert set(protocol["network_fingerprints"]) == {"encoder.safetensors", "head.safetensors"}
        assert all(len(value) == 64 for value in protocol["network_fingerprints"].values())
        assert evaluation["absent"] == [name for name, value in evaluation["iou"].items() if value is None]
    prints = {name: row["protocol"]["network_fingerprints"]["head.safetensors"] for name, row in evaluations.items()}
    assert len(set(prints.values())) == len(ROWS)
    head = tiny.manifest(finished, "pixel").outputs["networks/head.safetensors"]["sha256"]
    assert prints["pixel"] == head


@pytest.mark.promise("report-escapes")
def test_the_report_is_one_file_that_needs_no_network(finished: Path) -> None:
    folder = tiny.folder(finished, "report")
    html = (folder / "report.html").read_text()
    for name in [*ROWS, "road", "bicycle", "mIoU"]:
        assert name in html
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)|url\(["']?([^"')]+)""", html)
    assert links
    for link in ("".join(pair) for pair in links):
        assert link.startswith(("data:", "#")), link[:80]
    assert not re.search(r"<script[^>]+src|@import", html)
    picture = cv2.imread(str(folder / "pictures.png"))
    assert picture is not None
    assert min(picture.shape[:2]) > 64


def test_the_readmes_picture_has_three_panels_above_three(finished: Path) -> None:
    drawn = np.frombuffer(readme_picture.draw(Store(finished), "tiny"), np.uint8)
    height, width, _ = cv2.imdecode(drawn, cv2.IMREAD_COLOR).shape
    assert width == 3 * (readme_picture.WIDTH + 6) + 6
    assert height > 2 * (readme_picture.WIDTH // 2)
