"""Two processes log the same measures, agree on what is wrong, and stop together."""

import json
from pathlib import Path

import pytest

from tests.distributed.conftest import SHARED, Runs, command, ended

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
def test_both_stop_with_one_message(file: Path, one: Runs, tmp_path: Path) -> None:
    one.copy(tmp_path, SHARED)
    settings = ("runtime.on_bad_health=stop", "runtime.health={lines: 1, vanishing: 1000000000}")
    words = [*("--set", settings[0]), *("--set", settings[1]), *(f"--only={name}" for name in (*SHARED, "dann"))]
    finished = ended(command(file, tmp_path, "--processes", "2", *words), Path.cwd())
    assert finished.returncode == 2, finished.stdout + finished.stderr
    (message,) = [line for line in finished.stderr.splitlines() if "has vanished" in line]
    assert "runtime.on_bad_health: report" in message
    (folder,) = tmp_path.glob("align-*")
    last = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 1
    assert last["health"]["begun"]
