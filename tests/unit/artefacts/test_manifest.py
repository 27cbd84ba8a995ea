"""Manifests: written atomically, and compared with the outputs."""

import json
import math
from pathlib import Path

import pytest

from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest
from segda.errors import ArtefactError


def finished(folder: Path) -> Manifest:
    (folder / "networks").mkdir(parents=True)
    (folder / "networks" / "encoder.bin").write_bytes(b"abc")
    (folder / "networks" / ".head.bin.partial").write_bytes(b"left by a crash")
    (folder / "log.jsonl").write_text("not an output")
    outputs = manifests.describe_outputs(folder, ["networks"])
    manifest = Manifest("align", "align", 1, "k" * 64, {"steps": 1}, {}, outputs, {"miou": 0.5}, {"seconds": 1})
    manifests.write(folder, manifest)
    return manifest


def test_outputs_are_described_by_size_and_hash(tmp_path: Path) -> None:
    assert finished(tmp_path).outputs == {
        "networks/encoder.bin": {
            "bytes": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        }
    }  # fmt: skip


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert finished(tmp_path) == manifests.load(tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["schema"] == 1


@pytest.mark.promise("manifest-last")
def test_a_missing_output_is_refused_before_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty"):
        with pytest.raises(ArtefactError, match=f"without its output '{name}'"):
            manifests.describe_outputs(tmp_path, [name])


@pytest.mark.promise("status-verify")
def test_damage_is_seen(tmp_path: Path) -> None:
    manifest = finished(tmp_path)
    file = tmp_path / "networks" / "encoder.bin"
    assert manifests.first_difference(tmp_path, manifest, full=True) is None
    file.write_bytes(b"abd")
    assert manifests.first_difference(tmp_path, manifest) is None
    assert "another content" in str(manifests.first_difference(tmp_path, manifest, full=True))
    file.write_bytes(b"ab")
    assert "has 2 bytes" in str(manifests.first_difference(tmp_path, manifest))
    with pytest.raises(ArtefactError, match="--force align"):
        manifests.verify(tmp_path)
    file.unlink()
    assert "is missing" in str(manifests.first_difference(tmp_path, manifest))


def test_scores_of_absent_classes_become_null(tmp_path: Path) -> None:
    manifests.write_json(tmp_path / "x.json", {"iou": [math.nan, 0.5], "deep": {"a": math.inf}})
    assert json.loads((tmp_path / "x.json").read_text()) == {"iou": [None, 0.5], "deep": {"a": None}}


@pytest.mark.promise("damaged-artefact")
@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "damaged"), ("[]", "holds no mapping"), ('{"schema": 2}', "schema 2"), ('{"schema": 1}', "damaged")],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ArtefactError, match=message):
        manifests.load(tmp_path)


def test_no_manifest_is_no_finished_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no finished stage"):
        manifests.load(tmp_path)
