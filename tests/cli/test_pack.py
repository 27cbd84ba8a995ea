"""Packs on the command line: one key has one content, made once, and never of labels that must stay closed."""

import json
import os
import shutil
import signal
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from pipelines.__main__ import main
from segda.data.pack import format, writer
from tests.cli.conftest import JOB, Refused
from tests.configs import layouts
from tests.distributed.conftest import ended
from tests.pipelines.tiny import killed
from tests.resources.full_disk import Disk

RESIZED = JOB.replace("{base: gta5}", "{base: gta5, resize: [42, 70]}").replace(
    "target: {base: cityscapes}", "target: {base: cityscapes, resize: [44, 88]}"
)
# Everything that reads data: crops, AdaBN and class sizes, which use the files at their own size.
FEATURE = """
  feature:
    kind: align
    source: {base: gta5, resize: [42, 70]}
    target: {base: cityscapes, resize: [44, 88]}
    method: fcns_in_the_wild
    networks:
      encoder: {name: small, width: 4, blocks: 1}
      head: {name: small, width: 4}
      discriminators: {feature: {name: patch34, width: 4}}
    steps: 3
    batch: 2
    crop: [32, 32]
    target_statistics: 2
"""
SCALED = ["--set", "stages.feature.augment.scale=[0.8,1.2]"]
TRAINED = ["--only", "source", "--only", "translate", "--only", "feature"]


@pytest.fixture
def job(data: Path) -> Path:
    Path("job.yaml").write_text(RESIZED.replace("  adapted:\n", f"{FEATURE.strip(chr(10))}\n  adapted:\n"))
    return data


def published(runs: str) -> dict[str, str]:
    """The checksums of all networks."""
    checksums = {}
    for manifest in Path(runs).glob("*/manifest.json"):
        outputs = json.loads(manifest.read_text())["outputs"]
        checksums |= {f"{manifest.parent.name}/{name}": each["sha256"] for name, each in outputs.items()}
    return checksums


def packs(runs: str = "runs") -> list[Path]:
    return sorted(path for path in Path(runs, "packs").iterdir())


def changed(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}


@pytest.mark.promise("pack-shared", "pack-leaves-out")
def test_it_is_made_once_and_labels_of_the_target_stay_closed(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(job / "cityscapes/gtFine/train")
    assert main(["pack", "job.yaml"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if ": images " not in line]
    target, source = packs()
    assert lines == [
        f"source.data: {source}: packed, 4 images 42x70 with labels, 46 KiB",
        f"translate.source: {source}, as above",
        f"translate.target: {target}: packed, 3 images 44x88 no labels, 34 KiB",
        f"feature.source: {source}, as above",
        f"feature.target: {target}, as above",
    ]
    assert not (target / "labels.npy").exists()
    made = {folder: changed(folder) for folder in (source, target)}
    assert main(["pack", "job.yaml", "--only", "translate"]) == 0
    assert f"translate.source: {source}: there already, 4 images" in capsys.readouterr().out
    assert main(["job.yaml", "--only", "translate", "--set", "runtime.pack=true"]) == 0
    assert f"{target}: there already, 3 images 44x88 no labels" in capsys.readouterr().out
    assert {folder: changed(folder) for folder in packs()} == made
    assert main(["pack", "job.yaml", "--verify"]) == 0
    assert f"{source}: every checksum is right" in capsys.readouterr().out


@pytest.mark.promise("pack-pixels")
def test_networks_are_the_same_with_and_without(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["job.yaml", *TRAINED, "--runs", "without"]) == 0
    assert main(["job.yaml", *TRAINED, "--runs", "with", "--set", "runtime.pack=true"]) == 0
    loaded = ["job.yaml", "--only", "source", "--runs", "loaded", "--set", "runtime.pack=true", "--workers", "2"]
    assert main(loaded) == 0
    assert len({name.split("/")[0] for name in published("without")}) == 3
    assert published("without") == published("with"), "one key, and one content"
    assert published("loaded").items() < published("without").items()
    capsys.readouterr()
    tables = []
    for words in ([], ["--set", "runtime.pack=true"]):
        assert main(["run", "job.yaml", "--plan", *words]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


@pytest.mark.promise("pack-pixels")
def test_what_is_resized_and_then_scaled_has_a_key_of_its_own(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["job.yaml", "--only", "feature", *SCALED]
    assert main(words) == 0
    capsys.readouterr()
    assert main(["run", *words, "--plan", "--set", "runtime.pack=true"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("feature "))
    assert "`pack` is in the key, since pictures are resized for it before they are scaled" in line
    assert main([*words, "--set", "runtime.pack=true"]) == 0
    folders: dict[str, set[str]] = {}
    for name, checksum in published("runs").items():
        folders.setdefault(name.split("/")[0], set()).add(checksum)
    files, packed = folders.values()
    assert files.isdisjoint(packed), "other pixels, other networks"


@pytest.mark.promise("pack-pixels")
@pytest.mark.parametrize("setting", ["augment.scale=null", "target.resize=null"])
def test_without_a_resize_or_a_scale_a_pack_is_in_no_key(
    job: Path, capsys: pytest.CaptureFixture[str], setting: str
) -> None:
    words = ["run", "job.yaml", "--plan", *SCALED, "--set", "stages.feature.source.resize=null"]
    tables = []
    for pack in ("true", "false"):
        assert main([*words, "--set", f"stages.feature.{setting}", "--set", f"runtime.pack={pack}"]) == 0
        tables.append(capsys.readouterr().out)
    assert tables[0] == tables[1]


@pytest.mark.promise("pack-pixels")
def test_training_begun_with_packs_ends_without(job: Path) -> None:
    words = ["job.yaml", "--only", "feature"]
    assert main([*words, "--runs", "whole"]) == 0

    def work() -> None:
        assert main([*words, "--set", "runtime.pack=true"]) == 0

    assert killed(work, 3, kinds=("step",))
    assert main(words) == 0
    assert published("runs") == published("whole")


@pytest.mark.promise("pack-shared")
def test_a_change_of_the_data_or_of_what_is_made_of_it_makes_a_new_pack(job: Path) -> None:
    def made(*words: str) -> int:
        assert main(["pack", "job.yaml", "--only", "source", *words]) == 0
        return len(packs())

    assert made() == made() == 1
    image = job / "gta5/images/00002.png"
    image.write_bytes(image.read_bytes() + b"\0")
    assert made() == 2
    assert made("--set", "stages.source.data.resize=[32, 64]") == 3
    assert made("--set", "stages.source.data.limit=3") == 4
    assert made("--set", "task.labels=synthia16") == 5
    assert made("--set", "stages.source.steps=7") == 5


@pytest.mark.promise("damaged-pack")
def test_a_damaged_pack_is_noticed_and_mended(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["job.yaml", "--only", "source"]
    assert main([*words, "--runs", "whole"]) == 0
    assert main(["pack", *words]) == 0
    file = packs()[0] / "images.npy"
    content = bytearray(file.read_bytes())
    content[-100:] = bytes(100)
    file.write_bytes(content)
    capsys.readouterr()
    assert main([*words, "--set", "runtime.pack=true"]) == 0
    assert "1 chunks damaged; intact chunks are kept, the rest is made again" in capsys.readouterr().out
    assert published("runs") == published("whole")


@pytest.mark.promise("pack-leaves-out")
def test_files_that_are_skipped_are_in_no_pack(job: Path) -> None:
    text = Path("job.yaml").read_text().replace("{base: gta5,", "{base: gta5, on_bad_file: skip,")
    Path("job.yaml").write_text(text)
    broken = job / "gta5/images/00002.png"
    broken.write_bytes(broken.read_bytes()[:-40])
    assert main(["pack", "job.yaml", "--only", "source"]) == 0
    content = format.content(packs()[0])
    assert content is not None
    assert content["number"] == 3
    words = ["job.yaml", "--only", "source"]
    assert main([*words, "--set", "runtime.pack=true"]) == 0
    assert len(packs()) == 1, "the command and the stage mean the same"
    assert main([*words, "--runs", "without"]) == 0
    assert published("runs") == published("without")


def test_a_broken_file_and_sizes_that_differ_are_one_line(job: Path, refused: Refused) -> None:
    shutil.copytree(job / "gta5", job / "mixed")
    layouts.write_image(job / "mixed/images/00003.png", 50, 90, 3)
    layouts.write_palette_label(job / "mixed/labels/00003.png", layouts.ids(50, 90, 3, layouts.CITYSCAPES_IDS))
    other = ["--set", "stages.source.data.resize=null", "--set", "stages.source.data.root=mixed"]
    line = refused("pack", "job.yaml", "--only", "source", *other)
    assert "00003.png: 50x90 (height x width), but the first image of the set is 52x96" in line
    assert "`resize`" in line
    broken = job / "gta5/images/00002.png"
    broken.write_bytes(broken.read_bytes()[:-40])
    assert f"{broken}: not a readable image (cut off)" in refused(
        "job.yaml", "--only", "source", "--set", "runtime.pack=true"
    )


@pytest.mark.promise("pack-disk-space")
def test_a_disk_that_is_too_small_is_refused_beforehand(
    job: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 0, 2000))
    line = refused("pack", "job.yaml", "--only", "source")
    assert "a pack of 4 images takes 46 KiB, 2 KiB free; free space, choose another --runs, or leave out `pack`" in line


@pytest.mark.promise("pack-resumes")
def test_a_disk_that_fills_up_is_one_line_and_the_packing_goes_on(
    job: Path, refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.training.packs._require_space", lambda packing: None)
    disk = Disk(tmp_path / "disk", 4 << 20)
    try:
        words = ["pack", "job.yaml", "--only", "source", "--runs", str(disk.folder)]
        disk.leave(24 << 10)
        line = refused(*words)
        assert "No space left on device" in line
        assert "goes on where it stopped" in line
        disk.leave(1 << 20)
        assert main(words) == 0
        assert format.damaged(packs(str(disk.folder))[0], 1) == []
    finally:
        disk.unmount()


@pytest.mark.promise("pack-resumes")
def test_a_signal_stops_it_and_the_same_command_goes_on(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(format, "CHUNK_BYTES", 1)
    chunk: Any = writer._chunk
    made = []

    def stopped(*arguments: Any) -> str:
        made.append(arguments[-1])
        if len(made) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return str(chunk(*arguments))

    monkeypatch.setattr(writer, "_chunk", stopped)
    words = ["pack", "job.yaml", "--only", "source"]
    assert main(words) == 75
    assert "images are packed; the same command goes on from there" in capsys.readouterr().err
    assert packs()[0].suffix == ".partial"
    assert main(words) == 0
    assert sorted(set(made)) == [0, 1, 2, 3]
    assert format.damaged(packs()[0], 1) == []


def test_what_is_not_there_yet_or_no_picture_is_said(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = "data: {name: adapted, root: {from: adapted}}\n    method"
    Path("job.yaml").write_text(RESIZED.replace("data: {base: gta5, resize: [42, 70]}\n    method", exported))
    assert main(["pack", "job.yaml", "--only", "source"]) == 0
    assert "source.data: not packed: stage adapted is not finished" in capsys.readouterr().out


@pytest.mark.promise("pack-shared")
@pytest.mark.slow
def test_two_processes_share_one_pack(job: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "pipelines",
        "run",
        "job.yaml",
        "--only",
        "source",
        "--processes",
        "2",
        "--set",
        "runtime.pack=true",
    ]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = ended(words, Path.cwd())
    assert process.returncode == 0, process.stderr
    assert process.stdout.count(": packed, 4 images") == 1
    assert main(["job.yaml", "--only", "source", "--runs", "alone"]) == 0
    assert [path.suffix for path in packs()] == [""]
