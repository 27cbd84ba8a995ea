"""`runtime.compile`: a stage compiled by torch publishes the same result under the same key."""

import json
from pathlib import Path

import pytest
import torch
import torch._inductor.config
from safetensors.torch import load_file

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from tests.resume import jobs


@pytest.mark.promise("compile")
@pytest.mark.slow
def test_a_compiled_stage_publishes_the_same_networks_under_the_same_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With dropout, a moving average and two micro-batches."""
    # With an empty cache the compiler leaves threads running, and later tests could not fork.
    monkeypatch.setattr(torch._inductor.config, "compile_threads", 1)
    file = jobs.write(tmp_path, "segmentation", "dann")
    jobs.run(file, tmp_path / "plain")
    plain = jobs.folder(file, tmp_path / "plain", "dann")
    jobs.run(file, tmp_path / "fast", "runtime.compile=true")
    torch._dynamo.reset()
    fast = jobs.folder(file, tmp_path / "fast", "dann")
    assert fast.name == plain.name, "it is not part of the key"
    assert json.loads((fast / "manifest.json").read_text())["config"]["runtime"]["compile"]
    files = sorted(path.name for path in (plain / "networks").iterdir())
    assert files == sorted(path.name for path in (fast / "networks").iterdir())
    for name in files:
        expected, actual = (load_file(folder / "networks" / name) for folder in (plain, fast))
        assert actual.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(actual[key], value, rtol=1e-3, atol=1e-4, msg=lambda text, k=key: f"{k} {text}")


@pytest.mark.promise("compile")
def test_the_option_reaches_every_stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = jobs.write(tmp_path, "segmentation", "dann")
    plain, fast = pipelines.load(str(file)), pipelines.load(str(file), ["runtime.compile=true"])
    assert not any(stage.config.runtime.compile for stage in plain.stages.values())
    assert all(stage.config.runtime.compile for stage in fast.stages.values())
    keys = []
    for options in ([], ["--set", "runtime.compile=true"]):
        assert main(["run", str(file), "--plan", "--runs", str(tmp_path / "runs"), *options]) == 0
        keys.append(capsys.readouterr().out)
    assert keys[0] == keys[1]
