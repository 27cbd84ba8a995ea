"""`on_bad_file: skip`: unreadable files are left out and listed, and nothing else in the result changes."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from pipelines.definition import loading
from pipelines.planning.plan import _Keys
from pipelines.training.open_data import ListedData
from segda.artefacts.manifest import Manifest
from segda.artefacts.manifest import load as load_manifest
from segda.artefacts.store import Store
from segda.data.decode import read_rgb
from segda.report import page
from tests.cli.conftest import JOB
from tests.configs import layouts
from tests.pipelines.tiny import killed

BROKEN = "images/00002.png"
SKIPPING = JOB.replace("{base: gta5}", "{base: gta5, on_bad_file: skip}").replace("steps: 2", "steps: 4")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small GTA5 with one truncated image and one missing label, and a small Cityscapes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    root = layouts.gta5(tmp_path / "data", number=6)
    layouts.cityscapes(tmp_path / "data")
    (root / BROKEN).write_bytes((root / BROKEN).read_bytes()[:-40])
    (root / "labels/00003.png").unlink()
    Path("job.yaml").write_text(SKIPPING)
    return root


def manifest(kind: str, runs: str = "runs") -> Manifest:
    return load_manifest(next(path for path in Path(runs).glob(f"{kind}-*") if (path / "manifest.json").is_file()))


def published(runs: str = "runs") -> dict[str, str]:
    return {name: each["sha256"] for name, each in manifest("supervise", runs).outputs.items()}


def clean(data: Path) -> None:
    """Remove both samples from the data set."""
    for name in (BROKEN, "labels/00002.png", "images/00003.png"):
        (data / name).unlink()


def test_without_the_policy_the_run_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("job.yaml").write_text(JOB)
    assert main(["job.yaml", "--only", "source"]) == 2
    assert "image without label (images/00003.png)" in capsys.readouterr().err


@pytest.mark.promise("skipped-files")
def test_what_is_left_out_is_named_in_the_manifest_and_the_rest_trains_as_if_alone(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["job.yaml", "--only", "source"]) == 0
    assert "2 files left out" in capsys.readouterr().out
    left_out = manifest("supervise").metrics["skipped"]["data"]
    assert [(each["key"], each["file"]) for each in left_out] == [("00003", "images/00003.png"), ("00002", BROKEN)]
    assert "image without label" in left_out[0]["reason"]
    assert "not a readable image (cut off)" in left_out[1]["reason"]
    clean(data)
    Path("alone.yaml").write_text(JOB.replace("steps: 2", "steps: 4"))
    assert main(["alone.yaml", "--only", "source", "--runs", "alone"]) == 0
    assert published() == published("alone")


@pytest.mark.promise("skipped-files")
def test_the_list_is_kept_for_resuming_whatever_can_be_read_by_then(data: Path) -> None:
    """Killed after writing the list, then the file is repaired: the stage resumes with the list."""
    assert main(["job.yaml", "--only", "source", "--runs", "undisturbed"]) == 0
    words = ["job.yaml", "--only", "source"]
    assert killed(lambda: assert_done(words), 3, kinds=("step",))
    folder = next(Path("runs").glob("supervise-*"))
    assert (folder / "checkpoints").is_dir()
    skipped = (folder / "skipped.json").read_bytes()
    # The same size, so that neither fingerprint nor key changes.
    size = (data / BROKEN).stat().st_size
    repaired = cv2.imencode(".png", np.zeros((52, 96, 3), np.uint8))[1].tobytes().ljust(size, b"\0")
    assert len(repaired) == size
    (data / BROKEN).write_bytes(repaired)
    assert read_rgb(data / BROKEN).shape == (52, 96, 3)
    assert main(words) == 0
    assert (folder / "skipped.json").read_bytes() == skipped
    assert published() == published("undisturbed")


def assert_done(words: list[str]) -> None:
    assert main(words) == 0


@pytest.mark.promise("skipped-files")
@pytest.mark.parametrize("words", [["--workers", "2"], ["--set", "stages.source.accumulate=2"]])
def test_neither_workers_nor_micro_batches_change_what_is_left_out(data: Path, words: list[str]) -> None:
    assert main(["job.yaml", "--only", "source"]) == 0
    assert main(["job.yaml", "--only", "source", "--runs", "other", *words]) == 0
    assert manifest("supervise").metrics["skipped"] == manifest("supervise", "other").metrics["skipped"]
    if "--workers" in words:
        assert published() == published("other")


@pytest.mark.promise("skipped-files")
def test_an_export_names_what_it_lacks_and_is_complete_otherwise(data: Path) -> None:
    assert main(["job.yaml", "--only", "translate", "--only", "adapted"]) == 0
    folder = next(Path("runs").glob("export-*"))
    content = json.loads((folder / "dataset.json").read_text())
    assert [each["file"] for each in content["skipped"]] == ["images/00003.png", BROKEN]
    assert content["keys"] == ["00001", "00004", "00005", "20801"]
    assert sorted(path.stem for path in (folder / "images").iterdir()) == content["keys"]
    assert manifest("export").metrics["skipped"]["data"] == content["skipped"]
    assert main(["check", str(folder)]) == 0


def test_the_policy_enters_a_key_only_where_it_is_not_the_default(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean(data)

    def plan(text: str) -> str:
        Path("job.yaml").write_text(text)
        capsys.readouterr()
        assert main(["job.yaml", "--plan"]) == 0
        return capsys.readouterr().out

    assert plan(JOB) == plan(JOB.replace("{base: gta5}", "{base: gta5, on_bad_file: fail}"))
    assert plan(JOB) != plan(JOB.replace("{base: gta5}", "{base: gta5, on_bad_file: skip}"))
    Path("job.yaml").write_text(JOB)
    stage = loading.load("job.yaml").stages["source"]
    resolved = _Keys(ListedData(), Store(Path("runs"))).resolved(stage.config, "", stage, {}, {})
    assert "on_bad_file" not in resolved["data"], "keys of recorded results would change"


def test_what_no_single_file_is_to_blame_for_is_still_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (data / "images").iterdir():
        file.write_bytes(b"")
    assert main(["job.yaml", "--only", "source"]) == 2
    assert "none of 5 samples can be read" in capsys.readouterr().err


def test_a_pair_is_left_out_as_a_whole(data: Path) -> None:
    shutil.copytree(data, data.parent / "other")
    (data.parent / "other/images/00004.png").write_bytes(b"")
    Path("job.yaml").write_text(
        """
task: {name: segmentation, labels: cityscapes}
runtime: {cpu: true, workers: 0}
stages:
  translate:
    kind: translate
    source: {base: gta5, on_bad_file: skip}
    target: {base: gta5, root: other, on_bad_file: skip}
    paired: true
    method: pix2pix
    networks:
      encoder: {name: translator, width: 4, blocks: 1}
      decoder: {name: translator, blocks: 1}
      discriminators: {pair: {name: patch70, width: 4}}
    steps: 2
    batch: 2
    crop: [32, 32]
"""
    )
    assert main(["job.yaml"]) == 0
    left_out = manifest("translate").metrics["skipped"]
    keys = [{each["key"] for each in left_out[field] if each["key"]} for field in ("source", "target")]
    assert keys[0] == keys[1] == {"00002", "00003", "00004"}


def test_commands_leave_out_what_the_config_says_and_print_it(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml", "--only", "source"]) == 0
    image = next((data.parent / "cityscapes/leftImg8bit/val").rglob("*.png"))
    image.write_bytes(b"")
    Path("scored.yaml").write_text("{base: cityscapes, split: val, on_bad_file: skip}")
    capsys.readouterr()
    assert main(["evaluate", "job", "--data", "scored.yaml", "--stage", "source", "--json", "--cpu"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["source"]["protocol"]["images"] == 1
    assert f"{image.relative_to(data.parent / 'cityscapes')}: not a readable image" in captured.err


@pytest.mark.promise("skipped-files")
def test_the_page_lists_files_and_reasons_as_text() -> None:
    from segda.label_space import load

    entry = page.LeftOut("source", "data", [("images/<script>.png", "cut & off")])
    text = page.render(page.ReportContent(title="t", space=load("cityscapes"), left_out=[entry]))
    assert "Files left out" in text
    assert "images/&lt;script&gt;.png" in text
    assert "cut &amp; off" in text
    assert "<script>.png" not in text
