"""What an export leaves out of the translated set, as a judge sees it."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segda.data.readers import adapted
from segda.errors import ArtefactError, DataError
from segda.export import agreement
from tests.pipelines import tiny
from tests.pipelines.test_export import SPACE, exported, rows, tree
from tests.resume import ranks


def test_a_judge_reports_and_its_threshold_drops_or_refuses(data: Path) -> None:
    folder = exported(judged=True)
    report = json.loads((folder / "agreement.json").read_text())
    keys = ["00001", "00002", "00003", "20801"]
    assert list(report["images"]) == keys
    assert report["judge"]["stage"] == "source"
    scores = {key: image["agreement"] for key, image in report["images"].items()}
    assert report["worst"] == sorted(keys, key=lambda key: scores[key])
    assert report["mean"]["agreement"] == pytest.approx(np.mean(list(scores.values())), abs=1e-5)
    low, high = sorted(scores.values())[:2]
    assert low < high, "or the test would prove nothing"
    least = (low + high) / 2
    worst = report["worst"][0]
    assert list(folder.glob("agreement-*.jsonl")) == []

    dropped = exported(judged=True, minimum_agreement=least, on_disagreement="drop")
    index = json.loads((dropped / "dataset.json").read_text())
    assert index["dropped"] == [worst]
    assert index["keys"] == [key for key in keys if key != worst]
    assert {path.stem for path in (dropped / "images").iterdir()} == set(index["keys"])
    assert len(adapted.build(dropped, SPACE)) == 3
    assert tiny.manifest(Path("runs"), "adapted").metrics == {"images": 3, "dropped": 1}

    shards = exported(judged=True, minimum_agreement=least, on_disagreement="drop", layout="webdataset", shard=1)
    assert len(list((shards / "data").iterdir())) == 3

    with pytest.raises(ArtefactError, match=rf"agreement\.json: 1 of 4 images .* {worst} the least"):
        exported(judged=True, minimum_agreement=least, on_disagreement="fail")
    refused = tiny.folder(Path("runs"), "adapted")
    assert not (refused / "dataset.json").exists()
    assert json.loads((refused / "agreement.json").read_text())["worst"][0] == worst
    with pytest.raises(DataError, match="the export is not finished"):
        adapted.build(refused, SPACE)
    with pytest.raises(ArtefactError, match="4 of 4 images"):
        exported(judged=True, minimum_agreement=1.0, on_disagreement="drop")


def two_least(counts: Iterable[agreement.Counts]) -> float:
    """A limit that depends on all images, as `outlier_limit`, and that one of four is below."""
    low, high = sorted(each.mean()[0] or 0.0 for each in counts)[:2]
    assert low < high, "or the test would prove nothing"
    return (low + high) / 2


@pytest.fixture
def outlying(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(agreement, "outlier_limit", two_least)
    return {"judged": True, "minimum_agreement": "relative", "on_disagreement": "drop", "lost_pixels": "ignore"}


def test_outliers_are_dropped_and_lost_pixels_ignored(data: Path, outlying: dict[str, Any]) -> None:
    plain, folder = exported(judged=True), exported(**outlying)
    report = json.loads((folder / "agreement.json").read_text())
    kept = report["images"].keys() - {report["worst"][0]}
    assert report["dropped"] == [report["worst"][0]]
    assert report["images"] == json.loads((plain / "agreement.json").read_text())["images"]
    before, after = rows(plain), rows(folder)
    assert after.keys() == kept
    ignored = counted = 0
    for key in kept:
        assert np.array_equal(after[key][0], before[key][0])
        changed = after[key][1] != before[key][1]
        assert (after[key][1][changed] == 255).all()
        ignored, counted = ignored + changed.sum(), counted + (before[key][1] != 255).sum()
    assert 0 < ignored < counted
    assert report["ignored"]["pixels"] == pytest.approx(ignored / counted, abs=1e-6)
    metrics = tiny.manifest(Path("runs"), "adapted").metrics
    assert metrics == {"images": 3, "dropped": 1, "ignored_pixels": report["ignored"]["pixels"]}
    assert json.loads((folder / "dataset.json").read_text())["config"]["lost_pixels"] == "ignore"


@pytest.mark.distributed
@pytest.mark.parametrize("layout", ["segda", "webdataset"])
def test_outliers_are_the_same_for_two_processes_and_after_a_kill(
    data: Path, outlying: dict[str, Any], layout: str
) -> None:
    one = tree(exported(Path("one"), **outlying, layout=layout, shard=1))
    judge = tiny.folder(Path("one"), "source")
    # Killed while images are judged, and while they are written.
    for name, world, moments in (("two", 2, [0]), ("killed", 1, [5, 12, 6, 0])):
        runs = Path(name).absolute()
        shutil.copytree(judge, runs / judge.name)
        for moment in moments:
            died = ranks.killed(lambda: tiny.run(Path("tiny.yaml"), runs), moment, ("write", "replace"), world)  # noqa: B023
            assert died == (moment > 0)
        assert tree(tiny.folder(runs, "adapted")) == one, name


def test_colours_by_class_take_classes_of_the_target_from_the_judge(data: Path) -> None:
    by_class = exported(judged=True, method={"base": "class_colour_statistics"})
    first, whole = tree(by_class), tree(exported(judged=True, method={"base": "colour_statistics"}))
    assert {name for name in first if first[name] != whole[name] and name.startswith("labels/")} == set()
    assert all(first[name] != whole[name] for name in first if name.startswith("images/"))
    assert json.loads((by_class / "agreement.json").read_text())["judge"]["stage"] == "source"
