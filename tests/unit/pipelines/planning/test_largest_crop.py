"""The largest crop that images and memory allow, in the configured aspect ratio."""

from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.definition import loading as pipelines
from pipelines.definition.schema import TrainingConfig
from pipelines.planning import largest_crop
from pipelines.planning.disk import DiskEstimate
from pipelines.planning.memory import MemoryEstimate
from segda.errors import ConfigError
from tests.pipelines import tiny


@pytest.mark.parametrize(
    ("text", "count"),
    [("11GB", 11 * 10**9), ("10.5 GiB", 21 * 2**29), ("800mb", 8 * 10**8), (" 1MiB ", 2**20), ("2TB", 2 * 10**12)],
)
def test_a_memory(text: str, count: int) -> None:
    assert largest_crop.bytes_of(text) == count


@pytest.mark.parametrize("text", ["11", "GB", "-1GB", "0GB", "11 gigs", "1e3GB", "", "1GB2"])
def test_no_memory(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--memory: found .*; expected a number above 0 .*, such as 11GB$"):
        largest_crop.bytes_of(text)


@pytest.mark.promise("largest-crop")
@pytest.mark.parametrize("stage", ["source", "translate"])
def test_the_largest_crop_fits_and_a_larger_one_does_not(stage: str, tmp_path: Path) -> None:
    """By the estimate at exactly that size; aspect ratio and stride are preserved."""
    images = "[2000, 2000]"
    settings = [
        f"stages.{stage}.crop=[32, 64]",
        *(f"stages.{stage}.{field}.resize={images}" for field in {"source": ["data"]}.get(stage, ["source", "target"])),
    ]
    loaded = pipelines.load(str(tiny.write(tmp_path)), settings)
    memory = MemoryEstimate(loaded, DiskEstimate(loaded, []))
    config = loaded.stages[stage].config
    assert isinstance(config, TrainingConfig)
    limit = 150 << 20
    result = largest_crop.largest(memory, loaded.stages[stage], limit)
    assert result is not None
    (height, width), estimate = result
    stride = 8 if stage == "source" else 4
    assert width == 2 * height
    assert height % stride == 0
    assert estimate == pytest.approx(memory.training(config, (height, width)), rel=0.03)
    assert estimate <= limit < 1.03 * memory.training(config, (height + stride, width + 2 * stride))


@pytest.mark.promise("largest-crop")
def test_images_bound_the_crop_and_networks_the_memory(tmp_path: Path) -> None:
    loaded = pipelines.load(str(tiny.write(tmp_path)), ["stages.source.data.resize=[100, 300]"])
    memory = MemoryEstimate(loaded, DiskEstimate(loaded, []))
    best = largest_crop.largest(memory, loaded.stages["source"], 10**12)
    assert best is not None
    assert best[0] == (96, 192)
    assert largest_crop.largest(memory, loaded.stages["source"], 10**5) is None


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job, runs = str(tiny.write(tmp_path)), str(tmp_path / "runs")
    settings = ["--set", "stages.source.data.resize=[100, 300]", "--runs", runs]
    assert main([job, "--plan", "--memory", "100MB", *settings]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "crops (height x width) for 100MB (-: none, or unknown):" in lines
    (source,) = [line.split() for line in lines if line.startswith("source ") and "MiB" in line]
    assert source[1:3] == ["2", "32x64"]
    assert source[5] == "96x192"
    assert any("libraries' work space" in line for line in lines)
    assert not Path(runs).exists()
    assert main([job, "--plan", "--memory", "much", *settings]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --memory: found 'much'; expected")
