"""`augment.photometry_of`: whose images photometry changes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from pipelines.__main__ import main
from pipelines.training import batches
from segda.batch import Batch
from tests.cli.conftest import data as data  # noqa: F401  a fixture
from tests.pipelines.test_sampling import job as job  # noqa: F401  a fixture


@pytest.mark.usefixtures("job")
def test_photometry_changes_the_images_of_both_domains_or_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = batches.micro_batches
    seen: list[Batch] = []

    def watched(*arguments: Any, **options: Any) -> Iterator[Batch]:
        for batch in whole(*arguments, **options):
            seen.append(batch)
            yield batch

    monkeypatch.setattr(batches, "micro_batches", watched)

    def images(**augment: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The images of a training's first batch, of source and target."""
        seen.clear()
        settings = [f"--set=stages.feature.augment.{key}={value}" for key, value in augment.items()]
        assert (
            main(["job.yaml", "--only", "feature", "--runs", str(Path("-".join(["runs", *augment])))] + settings) == 0
        )
        assert seen[0].target is not None
        return seen[0].source.image, seen[0].target.image

    source, target = images()
    changed = images(photometry="{brightness: 0.9}")
    assert not torch.equal(changed[0], source)
    assert not torch.equal(changed[1], target)
    of_source = images(photometry="{brightness: 0.9}", photometry_of="source")
    assert torch.equal(of_source[0], changed[0])
    assert torch.equal(of_source[1], target), "a teacher is to label images as they are"
