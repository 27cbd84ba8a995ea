"""`runtime.profile`: its path is printed, and it changes no key and no result."""

import gzip
import json
import re
from pathlib import Path

import pytest

from pipelines.__main__ import main
from segda.artefacts import manifest as manifests
from tests.cli.conftest import data
from tests.resume import jobs, ranks

__all__ = ["data"]

SOURCE = ["job.yaml", "--only", "source"]


@pytest.mark.promise("profile-only-runs")
def test_the_stages_that_run_are_profiled_and_only_those(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", *SOURCE, "--set", "runtime.profile=true"]) == 0
    out = capsys.readouterr().out
    (path,) = re.findall(r"profiled: (\S+profile\.txt), trace in profile\.json\.gz$", out, re.MULTILINE)
    folder = Path(path).parent
    assert folder.name.startswith("supervise-")
    assert "whole step" in Path(path).read_text()
    with gzip.open(folder / "profile.json.gz", "rt") as file:
        assert json.load(file)["traceEvents"]
    assert sorted(Path("runs").rglob("profile*")) == sorted(folder.glob("profile*")), "nothing else is profiled"

    assert main(["run", *SOURCE, "--runs", "plain"]) == 0
    capsys.readouterr()
    plain = Path("plain") / folder.name  # the same key
    assert not list(plain.glob("profile*"))
    actual, expected = manifests.load(folder), manifests.load(plain)
    assert actual.outputs == expected.outputs
    assert actual.metrics == expected.metrics

    assert main(["run", *SOURCE, "--set", "runtime.profile=true"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "profile" in line] == [
        "runtime.profile: no training is left to be profiled; --force STAGE runs one anew"
    ]
    assert main(["status", "--verify"]) == 0
    assert main(["run", "job.yaml", "--only", "evaluate", "--set", "runtime.profile=true"]) == 0
    assert "no training is left to be profiled" in capsys.readouterr().out


@pytest.mark.promise("profile-only-runs")
@pytest.mark.slow
@pytest.mark.distributed
def test_of_two_processes_the_first_tells(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = jobs.write(tmp_path, "segmentation", "source_only")
    assert not ranks.killed(lambda: jobs.run(file, tmp_path / "runs", "runtime.profile=true"), 0, (), world=2)
    folder = jobs.folder(file, tmp_path / "runs", "source_only")
    text = (folder / "profile.txt").read_text()
    assert "steps 2 to 5" in text.splitlines()[0]
    assert re.search(r"^network encoder +[\d.]+ +[\d.]+ % +2\.0$", text, re.MULTILINE), "each micro-batch, once"
    out = capfd.readouterr().out
    assert out.count(f"steps 2 to 5 profiled: {folder / 'profile.txt'}") == 1
