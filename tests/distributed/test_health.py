"""Two processes measure alike, agree on what is wrong, and stop together."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.distributed.conftest import SHARED, Runs

pytestmark = pytest.mark.distributed


def lines(runs: Runs, method: str) -> list[dict[str, dict[str, float]]]:
    return [json.loads(line) for line in (runs.folder(method) / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("method", ["dann", "cycada"])
def test_norms_and_shares_are_those_of_one_process(one: Runs, two: Runs, method: str) -> None:
    """Players' norms are of the same gradient; shares are of the same images. A term's norm is a mean over halves."""
    for alone, together in zip(lines(one, method), lines(two, method), strict=True):
        assert together["gradients"].keys() == alone["gradients"].keys()
        for player in together["learning_rate"]:
            assert together["gradients"][player] == pytest.approx(alone["gradients"][player], rel=0.02)
        for name, norm in alone["gradients"].items():
            assert together["gradients"][name] >= 0.98 * norm, "halves are no smaller than their mean"
        for domain, shares in alone["predicted"].items():
            assert together["predicted"][domain] == pytest.approx(shares, abs=0.01)


@pytest.mark.slow
def test_both_stop_and_that_is_said_once(file: Path, one: Runs, tmp_path: Path) -> None:
    for name in SHARED:
        shutil.copytree(one.folder(name), tmp_path / one.folder(name).name)
    settings = ["runtime.on_bad_health=stop", "runtime.health={lines: 1, vanishing: 1000000000}"]
    ended = subprocess.run(
        [
            sys.executable, "-m", "pipelines", "run", str(file), "--processes", "2", "--runs", str(tmp_path),
            *(word for setting in settings for word in ("--set", setting)),
            *(word for name in (*SHARED, "dann") for word in ("--only", name)),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stdout + ended.stderr
    (message,) = [line for line in ended.stderr.splitlines() if "has vanished" in line]
    assert "runtime.on_bad_health: report" in message
    (folder,) = tmp_path.glob("align-*")
    last = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 1
    assert last["health"]["begun"]
