"""Untrusted manifests, lock files, file lists and links cannot lead a command out of their folder."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from segda.artefacts.store import Store
from segda.errors import ArtefactError, DataError
from segda.label_space import load
from tests.pipelines import tiny

OUTSIDE = ("../secret", "/etc/passwd", "networks/../../secret")


@pytest.fixture
def runs(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of finished runs, next to a folder `secret`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").mkdir()
    for name in ("manifest.json", "evaluation.json", "report.html"):
        (tmp_path / "secret" / name).write_text("{}")
    return Path(shutil.copytree(finished, tmp_path / "runs", symlinks=True))


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def call(*words: str) -> str:
        capsys.readouterr()
        assert main(list(words)) == 2
        captured = capsys.readouterr()
        assert len(captured.err.splitlines()) == 1, captured.err
        return captured.err

    return call


def changed(file: Path, change: Callable[[Any], object]) -> None:
    """Change a JSON file and remove its checksum."""
    content = json.loads(file.read_text())
    content.pop("checksum", None)
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.promise("paths-stay-inside")
@pytest.mark.parametrize("name", ["../secret", "/tmp", "..", ".", "a/b"])
def test_a_lock_file_names_folders_of_its_own_store(runs: Path, refused: Callable[..., str], name: object) -> None:
    def change(lock: Any) -> None:
        lock["stages"]["evaluate"]["folder"] = name

    changed(runs / "tiny.lock.json", change)
    for command in ("status", "report", "table", "evaluate"):
        line = refused(command, "tiny", *(["--data", "cityscapes"] if command == "evaluate" else []))
        assert "tiny.lock.json: stages.evaluate.folder" in line
        assert repr(name) in line


@pytest.mark.parametrize("lock", [
    "{}", '{"stages": 3}', '{"stages": {"a": 3}}', "[]", '{"stages": {"a": {}}}',
    '{"config": {"stages": {}}, "stages": {"a": {"kind": "b", "folder": 3, "key": "c"}}}',
])  # fmt: skip
def test_a_lock_file_of_something_else(runs: Path, refused: Callable[..., str], lock: str) -> None:
    (runs / "tiny.lock.json").write_text(lock)
    assert "tiny.lock.json: " in refused("status", "tiny")


@pytest.mark.promise("paths-stay-inside")
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_manifest_names_outputs_of_its_own_folder(
    runs: Path, job: Path, refused: Callable[..., str], name: str
) -> None:
    def change(manifest: Any) -> None:
        manifest["outputs"][name] = {"bytes": 2, "sha256": "0" * 64}

    folder = tiny.folder(runs, "source")
    changed(folder / "manifest.json", change)
    for words in (["run", str(job)], ["evaluate", str(folder), "--data", "cityscapes"]):
        assert f"manifest.json: outputs: {name!r} leads out of the folder" in refused(*words)


@pytest.mark.promise("paths-stay-inside")
@pytest.mark.parametrize(("entry", "value"), [
    ("folder", "../secret"), ("folder", ".."), ("folder", "/etc"), ("output", "../../secret"), ("output", "/etc")
])  # fmt: skip
def test_a_manifest_names_inputs_of_its_own_store(
    runs: Path, job: Path, refused: Callable[..., str], entry: str, value: str
) -> None:
    def change(manifest: Any) -> None:
        next(origin for origin in manifest["inputs"].values() if origin.get("folder"))[entry] = value

    changed(tiny.folder(runs, "evaluate") / "manifest.json", change)
    assert "leads out of the folder of runs" in refused("report", "tiny")


@pytest.mark.parametrize("change", [
    lambda manifest: manifest.update(outputs=[1]),
    lambda manifest: manifest.update(outputs={"a": 3}),
    lambda manifest: manifest.update(outputs={"a": {"bytes": "3", "sha256": "0"}}),
    lambda manifest: manifest.update(inputs={"a": "b"}),
    lambda manifest: manifest.update(inputs=None),
    lambda manifest: manifest.update(provenance=[]),
    lambda manifest: manifest["provenance"].update(seconds="<b>"),
    lambda manifest: manifest.update(config=3),
    lambda manifest: manifest.update(metrics="x"),
])  # fmt: skip
def test_a_manifest_of_something_else(
    runs: Path, job: Path, refused: Callable[..., str], change: Callable[[Any], object]
) -> None:
    changed(tiny.folder(runs, "source") / "manifest.json", change)
    assert "manifest.json: " in refused("run", str(job))


def test_an_output_that_is_a_link_elsewhere(runs: Path, job: Path, refused: Callable[..., str]) -> None:
    file = tiny.folder(runs, "source") / "networks" / "head.safetensors"
    moved = file.rename(runs.parent / "secret" / "head.safetensors")
    file.symlink_to(moved)
    assert "head.safetensors: leads out of" in refused("run", str(job))
    assert moved.is_file()


@pytest.mark.promise("no-write-outside")
@pytest.mark.parametrize("name", [".lock", "networks", "checkpoints", "log.jsonl"])
def test_an_unfinished_stage_does_not_write_through_a_link(
    runs: Path, job: Path, refused: Callable[..., str], name: str
) -> None:
    """Opening a `.lock` that is a link would truncate the file it points to."""
    folder = tiny.folder(runs, "source")
    (folder / "manifest.json").unlink()
    path = folder / name
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    precious = runs.parent / "secret" / "manifest.json"
    path.symlink_to(precious.parent if name in ("networks", "checkpoints") else precious)
    for words in (["run", str(job), "--only", "source"], ["run", str(job), "--force", "source"]):
        assert f"{name}: leads out of" in refused(*words)
    assert precious.read_text() == "{}"
    assert sorted(path.name for path in precious.parent.iterdir()) == [
        "evaluation.json", "manifest.json", "report.html"
    ]  # fmt: skip


@pytest.mark.promise("paths-stay-inside")
@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("entry", ["files", "keys"])
def test_an_export_lists_files_of_its_own_folder(
    runs: Path, refused: Callable[..., str], entry: str, name: str
) -> None:
    def change(index: Any) -> None:
        if entry == "files":
            index["files"][name] = {"bytes": 2, "sha256": "0" * 64}
        else:
            index["keys"].append(name)

    folder = tiny.folder(runs, "adapted")
    changed(folder / "dataset.json", change)
    assert f"dataset.json: {name!r} leads out" in refused("check", str(folder))
    if entry == "keys":
        from segda.data.readers import adapted

        with pytest.raises(DataError, match="leads out of the folder"):
            adapted.build(folder, load("cityscapes"))


def test_an_export_with_a_link_elsewhere(runs: Path, refused: Callable[..., str]) -> None:
    from segda.data.readers import adapted

    folder = tiny.folder(runs, "adapted")
    image = next((folder / "images").rglob("*.png"))
    image.symlink_to(image.rename(runs.parent / "secret" / "private.png"))
    assert "leads out of" in refused("check", str(folder))
    with pytest.raises(DataError, match="leads out of"):
        adapted.build(folder, load("cityscapes"))


@pytest.mark.promise("no-write-outside")
def test_an_export_writes_nothing_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """`layout: source` keeps the source's paths, and a config may point above the root."""
    monkeypatch.chdir(tmp_path)
    for folder, shape in (("images", (32, 32, 3)), ("labels", (32, 32))):
        (tmp_path / "deep" / folder).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "deep" / folder / "1.png"), np.ones(shape, np.uint8))
    (tmp_path / "deep" / "root").mkdir()
    data = "{name: folder, root: deep/root, images: ../images, labels: ../labels, classes: {0: road, 1: car}}"
    (tmp_path / "job.yaml").write_text(
        "task: {name: segmentation, labels: cityscapes}\nruntime: {cpu: true, workers: 0}\nstages:\n  adapted:\n"
        "    kind: export\n    layout: source\n    method: fda\n"
        f"    data: {data}\n    target: {data[:-1]}, split: val}}\n"
    )
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    before = sorted(path for path in tmp_path.rglob("*") if "runs" not in path.parts)
    assert main(["job.yaml"]) == 2
    assert "'../images/1.png' leads out of the folder" in capsys.readouterr().err
    assert sorted(path for path in tmp_path.rglob("*") if "runs" not in path.parts) == before
    assert not list((tmp_path / "runs").rglob("*.png"))


@pytest.mark.promise("paths-stay-inside")
def test_a_split_file_and_an_output_stay_below_what_they_are_of(
    job: Path, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    setting = "stages.pixel.data.root={from: adapted, output: images/../../..}"
    assert "leads out of the stage's folder" in refused("run", str(job), "--set", setting)
    monkeypatch.setenv("SEGDA_DATA", str(tmp_path))
    for folder in ("images", "labels"):
        (tmp_path / "gta5" / folder).mkdir(parents=True)
    (tmp_path / "data.yaml").write_text("{base: gta5, split_file: ../../split.mat}")
    assert "split_file: '../../split.mat' leads out" in refused("check", "data.yaml")


def test_a_store_finds_no_result_behind_a_link(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.begin("align", "a" * 64, {})
    os.symlink("/", folder / "networks")
    with pytest.raises(ArtefactError, match="leads out of"):
        store.begin("align", "a" * 64, {})
