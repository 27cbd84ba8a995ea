"""Runs killed at any moment: the same command resumes and ends with the same bytes."""

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch
from safetensors.torch import load_file, save_file

from pipelines.__main__ import main
from segda.engine import checkpoint as checkpoints
from segda.engine.background import BackgroundWriter
from tests.configs import layouts
from tests.pipelines import tiny
from tools.soaking.faults import flip, injected


@pytest.mark.promise("killed-run")
def test_a_run_killed_again_and_again_ends_with_the_same_bytes(job: Path, finished: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    deaths = 0
    # Each attempt lasts longer than the one before, so that each makes progress and is killed at a different event.
    while tiny.killed(lambda: tiny.run(job, runs), fatal=3 + 2 * deaths):
        deaths += 1
        assert deaths < 40
    assert deaths > 10
    assert tiny.hashes(runs, tiny.STAGES[:-2]) == tiny.hashes(finished, tiny.STAGES[:-2])
    scores = [tiny.manifest(where, "evaluate").metrics for where in (runs, finished)]
    assert scores[0] == scores[1]


@pytest.fixture
def saved_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are complete before the next step, so that a test knows which exist at the kill."""
    monkeypatch.setattr(BackgroundWriter, "begin", lambda self, work: work())


@pytest.mark.promise("killed-training")
@pytest.mark.usefixtures("saved_at_once")
@pytest.mark.parametrize(("stage", "step"), [*((stage, 4) for stage in tiny.TRAINING), ("translate", 2)])
def test_training_killed_before_a_step_ends_with_the_same_bytes(
    job: Path, finished: Path, tmp_path: Path, stage: str, step: int
) -> None:
    runs = tiny.without(finished, tmp_path / "runs", stage)
    assert tiny.killed(lambda: tiny.run(job, runs, only=[stage]), fatal=step, kinds=["step"])
    checkpoints = sorted(path.name for path in tiny.folder(runs, stage).glob("checkpoints/step-*"))
    assert checkpoints == [f"step-{made:08d}" for made in (2, 4) if made < step]
    tiny.run(job, runs, only=[stage])
    assert tiny.hashes(runs, [stage]) == tiny.hashes(finished, [stage])
    steps = [json.loads(line)["step"] for line in (tiny.folder(runs, stage) / "log.jsonl").read_text().splitlines()]
    assert steps == [2, 4, 5]


@pytest.mark.promise("checkpoint-is-minimal")
@pytest.mark.usefixtures("saved_at_once")
@pytest.mark.parametrize(
    ("stage", "part"),
    [
        ("source", "networks/"),
        ("translate", "networks/discriminator.target/"),
        ("translate", "optimizers/generator/"),
        ("translate", "optimizers/discriminator/"),
        ("translate", "pools/"),
        ("feature", "average/"),
        ("oracle", "random/"),
    ],
)
def test_each_part_of_a_checkpoint_matters(job: Path, finished: Path, tmp_path: Path, stage: str, part: str) -> None:
    """A part whose loss changes nothing would make the tests above weaker than they look."""
    runs = tiny.without(finished, tmp_path / "runs", stage)
    assert tiny.killed(lambda: tiny.run(job, runs, only=[stage]), fatal=3, kinds=["step"])
    checkpoint = tiny.folder(runs, stage) / "checkpoints" / "step-00000002"
    tensors = load_file(checkpoint / "tensors.safetensors")
    forgotten = [name for name in tensors if name.startswith(part)]
    assert forgotten
    for name in forgotten:
        if part == "random/":
            tensors[name] = torch.Generator().manual_seed(1).get_state()
        elif tensors[name].is_floating_point():
            tensors[name].zero_()
    save_file(tensors, checkpoint / "tensors.safetensors")
    state = json.loads((checkpoint / "state.json").read_text())
    state["sha256"] = checkpoints.checksum((checkpoint / "tensors.safetensors").read_bytes(), state)
    (checkpoint / "state.json").write_text(json.dumps(state))
    tiny.run(job, runs, only=[stage])
    assert tiny.hashes(runs, [stage]) != tiny.hashes(finished, [stage])


@pytest.mark.promise("damaged-checkpoint")
@pytest.mark.usefixtures("saved_at_once")
def test_a_damaged_checkpoint_is_passed_over(
    job: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tiny.without(finished, tmp_path / "runs", "translate")
    assert tiny.killed(lambda: tiny.run(job, runs, only=["translate"]), fatal=5, kinds=["step"])
    tensors = tiny.folder(runs, "translate") / "checkpoints" / "step-00000004" / "tensors.safetensors"
    flip(tensors, Random(0))
    capsys.readouterr()
    tiny.run(job, runs, only=["translate"])
    assert "step-00000004: damaged checkpoint passed over" in capsys.readouterr().out
    assert tiny.hashes(runs, ["translate"]) == tiny.hashes(finished, ["translate"])


@pytest.mark.promise("written-files-kept")
@pytest.mark.parametrize(("stage", "glob"), [("streets", "*/images/*.png"), ("adapted", "images/*.png")])
def test_files_written_before_a_kill_are_kept(job: Path, finished: Path, tmp_path: Path, stage: str, glob: str) -> None:
    runs = tiny.without(finished, tmp_path / "runs", stage)
    assert tiny.killed(lambda: tiny.run(job, runs, only=[stage]), fatal=12, kinds=["replace", "rename"])
    folder = tiny.folder(runs, stage)
    assert not (folder / "manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in folder.glob(glob)}
    assert 0 < len(before) < 6
    tiny.run(job, runs, only=[stage])
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert tiny.hashes(runs, [stage]) == tiny.hashes(finished, [stage])
    # A file left half-written by the kill is hidden, and no data set or manifest lists it.
    assert all(path.name.startswith(".") for path in folder.rglob("*partial*"))


@pytest.mark.promise("killed-export")
@pytest.mark.parametrize(
    ("layout", "deaths"), [("segda", 10), ("source", 10), ("huggingface", 3), ("webdataset", 3), ("parquet", 3)]
)
def test_an_export_killed_at_random_moments_ends_as_an_undisturbed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, deaths: int
) -> None:
    """With writer threads and a judge that drops the worst image: the same files, the same bytes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path / "data"))
    layouts.gta5(tmp_path / "data", 9)
    layouts.cityscapes(tmp_path / "data")
    tiny.run(export_job(layout, 0.0), tmp_path / "all")
    judged = json.loads((tiny.folder(tmp_path / "all", "adapted") / "agreement.json").read_text())["images"]
    least = sum(sorted(image["agreement"] for image in judged.values())[:2]) / 2
    file = export_job(layout, least)
    source = tiny.folder(tmp_path / "all", "source")
    random, died, leftovers, rounds = Random(0), 0, 0, 0
    shutil.copytree(source, tmp_path / "undisturbed" / source.name)
    tiny.run(file, tmp_path / "undisturbed")
    expected = tree(tiny.folder(tmp_path / "undisturbed", "adapted"))
    while died < deaths:
        runs = tmp_path / f"runs-{rounds}"
        shutil.copytree(source, runs / source.name)
        while tiny.killed(partial(disturbed, file, runs, random.randint(5, 90)), 0, ()):
            died += 1
            began = next(runs.glob("export-*"), None)
            leftovers += began is not None and any(began.rglob("0*"))
            # The manifest is only written once the export is complete (a kill may also come just after it).
            assert began is None or not (began / "manifest.json").exists() or tree(began) == expected
        assert tree(tiny.folder(runs, "adapted")) == expected
        assert len(json.loads((tiny.folder(runs, "adapted") / "dataset.json").read_text())["dropped"]) == 1
        assert main(["check", str(tiny.folder(runs, "adapted"))]) == 0
        rounds += 1
    assert leftovers or layout in ("webdataset", "parquet"), "some kills left files behind"


def disturbed(file: Path, runs: Path, fatal: int) -> None:
    """Run until killed before a rename, in the middle of a write, or before a flush."""
    with injected(runs, fatal):
        tiny.run(file, runs)


def export_job(layout: str, least: float) -> Path:
    """An export of nine images by FDA, judged by a stage trained for two steps; bad ones are dropped."""
    file = Path("tiny.yaml").absolute()
    file.write_text(f"""
task: {{name: segmentation, labels: cityscapes}}
runtime: {{workers: 2, cpu: true}}
stages:
  source:
    kind: supervise
    data: {{base: gta5}}
    method: source_only
    networks: {{encoder: {{name: small, width: 4, blocks: 1}}, head: {{name: linear}}}}
    steps: 2
    batch: 2
    crop: [32, 32]
    runtime: {{workers: 0}}
  adapted:
    kind: export
    data: {{base: gta5}}
    method: fda
    target: {{base: cityscapes}}
    judge: {{from: source}}
    minimum_agreement: {least}
    on_disagreement: drop
    layout: {layout}
    shard: 2
""")
    return file


def tree(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of an export, without the manifest (it has times) and hidden leftovers of a kill."""
    ignored = ("manifest.json", *(path.name for path in folder.glob(".*")))
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in ignored]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
