"""`runtime.recompute`: whole stages publish the same bytes under the same keys."""

from pathlib import Path

import pytest

from tests.pipelines import tiny


@pytest.mark.promise("recompute")
@pytest.mark.slow
def test_published_networks_and_logs_are_the_same(tmp_path: Path) -> None:
    """Supervised, translation and adaptation stages with dropout, an image pool, a moving average and its teacher."""
    job = tiny.write(tmp_path)
    for name, setting in (("off", "false"), ("on", "true")):
        tiny.run(job, tmp_path / name, [f"runtime.recompute={setting}"], ["streets", *tiny.TRAINING])
    assert tiny.hashes(tmp_path / "off", tiny.TRAINING) == tiny.hashes(tmp_path / "on", tiny.TRAINING)
    for stage in tiny.TRAINING:
        folders = [tiny.folder(tmp_path / name, stage) for name in ("off", "on")]
        assert folders[0].name == folders[1].name
        settings = [tiny.manifest(tmp_path / name, stage).config["runtime"]["recompute"] for name in ("off", "on")]
        assert settings == [False, True]
