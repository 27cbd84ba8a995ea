"""`segda distance`: its measures, and that target labels are only read on request."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipelines.__main__ import main
from segda import label_space

pytestmark = pytest.mark.usefixtures("here")


def measured(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["distance", "colours", "--source", "source.yaml", "--target", "target.yaml", "--json", *words]) == 0
    rows: dict[str, Any] = json.loads(capsys.readouterr().out)
    return rows


def test_every_row_has_its_pieces_of_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    rows = measured(capsys, "--target-root", "unlabelled")
    assert list(rows) == ["source only", "adapted"]
    for row in rows.values():
        assert row["proxy_a_distance"] == pytest.approx(2 * (1 - 2 * row["domain_error"]))
        assert row["samples"] == 24
        assert 0 <= row["source_error"] <= 1
        assert (row["joint_error"], row["bound"]) == (None, None)
    assert rows["source only"]["proxy_a_distance"] > 1.5, "a brighter domain is easy to distinguish"


def test_a_domain_is_at_no_distance_from_itself(capsys: pytest.CaptureFixture[str]) -> None:
    rows = measured(capsys, "--target-root", "source", "--stage", "source only")
    assert abs(rows["source only"]["proxy_a_distance"]) < 1


def test_the_joint_error_takes_the_labels_of_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    row = measured(capsys, "--oracle", "--stage", "adapted")["adapted"]
    assert row["bound"] == pytest.approx(row["source_error"] + row["proxy_a_distance"] / 2 + row["joint_error"])
    assert main(["distance", "colours", "--source", "source.yaml", "--target", "target.yaml", "--oracle",
                 "--target-root", "unlabelled"]) == 2  # fmt: skip
    assert "labels" in capsys.readouterr().err


def test_the_table_says_what_stands_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["distance", "colours", "--source", "source.yaml", "--target", "target.yaml", "--count", "12"]) == 0
    text = capsys.readouterr().out
    assert "proxy A-distance" in text
    assert "12 samples of each domain" in text


def test_an_export_comes_closer_to_the_target_in_frechet_and_kernel_distance(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A stage's folder can replace a data config. This export holds the target's own images, as a perfect one would."""
    images = np.load("target/train.npz")["images"]
    keys = [f"{number:05d}" for number in range(len(images))]
    (tmp_path / "images").mkdir()
    for key, image in zip(keys, images, strict=True):
        assert cv2.imwrite(str(tmp_path / "images" / f"{key}.png"), image[..., ::-1])
    space = label_space.load("digits")
    labels = [number % 3 for number in range(len(keys))]
    index = {"space": "digits", "classes": list(space.classes), "keys": keys, "labels": labels}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    before = measured(capsys, "--stage", "source only")["source only"]
    after = measured(capsys, "--stage", "source only", "--source", str(tmp_path))["source only"]
    assert after["frechet_distance"] == pytest.approx(0, abs=1e-6)
    assert before["frechet_distance"] > 1e-4
    assert after["kernel_distance"] < before["kernel_distance"]


def test_too_few_samples_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["distance", "colours", "--source", "source.yaml", "--target", "target.yaml", "--count", "3"]
    assert main(words) == 2
    assert "--count: 3; expected at least 8" in capsys.readouterr().err
