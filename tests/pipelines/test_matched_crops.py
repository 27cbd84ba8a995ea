"""A translator that is trained on matched crops: resumed, and with loading processes."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipelines.definition import loading as pipelines
from segda.errors import ConfigError
from tests.pipelines import tiny
from tests.resume import jobs, ranks

DATA: dict[str, Any] = {"source": {"base": "gta5"}, "target": {"base": "cityscapes"}}


def job(**changes: Any) -> Path:
    """A classifier, and a translator whose crops are matched by its encoder."""
    shared: dict[str, Any] = {"steps": 2, "batch": 2, "crop": [32, 32]}
    small = {"encoder": {"name": "small", "width": 4, "blocks": 1}, "head": {"name": "linear"}}
    networks = {
        "encoder": {"name": "translator", "width": 4, "blocks": 1},
        "decoder": {"name": "translator", "blocks": 1},
        "discriminators": {"image": {"name": "patch", "width": 4}},
    }
    match = {"network": {"from": "source"}, "neighbours": 3}
    content = {
        "task": {"name": "segmentation", "labels": "cityscapes"},
        "runtime": {"workers": 0, "cpu": True, "save_every": 2, "log_every": 1},
        "stages": {
            "source": {
                "kind": "supervise",
                "data": DATA["source"],
                "method": "source_only",
                "networks": small,
                **shared,
            },
            "translate": {
                "kind": "translate", **DATA, "method": "fastcut", "networks": networks, **shared, "steps": 5,
                "match": match, **changes,
            },
        },
    }  # fmt: skip
    file = Path("tiny.yaml").absolute()
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def test_a_killed_training_on_matched_crops_ends_with_the_same_bits(data: Path) -> None:
    """Undisturbed with a loading process, and killed in one without: the log, all checkpoints, the networks."""
    file = job()
    tiny.run(file, Path("plain").absolute(), ["runtime.workers=1"])
    runs, judge = Path("killed").absolute(), tiny.folder(Path("plain"), "source")
    shutil.copytree(judge, runs / judge.name)
    assert ranks.killed(lambda: tiny.run(file, runs), 4, ("step",))
    assert not ranks.killed(lambda: tiny.run(file, runs), 0, ())
    whole, resumed = (tiny.folder(root, "translate") for root in (Path("plain"), runs))
    assert jobs.result(resumed) == jobs.result(whole)
    table = np.load(whole / "matches.npy")
    assert table.shape == (4 * 15, 3)
    assert (whole / "matches.npy").read_bytes() == (resumed / "matches.npy").read_bytes()
    other = job(match=None)
    tiny.run(other, Path("plain").absolute())
    assert jobs.result(tiny.folder(Path("plain"), "translate")) != jobs.result(whole), "and without it others"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"augment": {"scale": [0.5, 1.0]}}, "match: .*leave `augment.scale` out"),
        ({"paired": True}, "match: .*leave `paired` out"),
        ({"match": {"network": {"from": "source"}, "neighbours": 0}}, "match.neighbours"),
        ({"match": {"network": {"from": "sources"}}}, "match.network.*did you mean 'source'"),
    ],
)
def test_what_does_not_go_with_matched_crops_is_refused(data: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        pipelines.load(str(job(**changes)))
