"""Evaluations and pictures small enough to check by hand."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segda.evaluation.scores import Evaluation
from segda.label_space import LabelSpace
from segda.metrics.mean_iou import Confusion

CLASSES = ("road", "car", "sky")


@pytest.fixture
def space() -> LabelSpace:
    return LabelSpace("three", CLASSES, ((128, 64, 128), (0, 0, 142), (70, 130, 180)))


@pytest.fixture
def evaluation() -> Callable[..., dict[str, Any]]:
    """From the number of road pixels out of ten that are right to an evaluation's JSON; sky is absent.

    The wrong ones are taken for car, and all ten car pixels are right: road scores `right / 10`, and car
    `10 / (10 + wrong)`.
    """

    def make(right: int, classes: tuple[str, ...] = CLASSES, sky: int = 0, **protocol: Any) -> dict[str, Any]:
        confusion = Confusion(classes)
        confusion.counts[:2, :2] = [[right, 10 - right], [0, 10]]
        confusion.counts[2, 2] = sky
        return Evaluation(confusion, 4, {"images": 4, "resize": [32, 64], **protocol}).to_json()

    return make


@pytest.fixture
def photograph() -> np.ndarray:
    return np.full((20, 40, 3), (200, 100, 50), dtype=np.uint8)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine's path")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install .[test])")
    flags = ("no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
             "disable-component-update", "disable-sync")  # fmt: skip
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=[f"--{flag}" for flag in ("headless", *flags)])
        yield opened
        opened.close()


def open_page(browser: Any, file: Path, **options: Any) -> tuple[Any, list[str]]:
    """A page in a context of its own, and a list that fills with its dialogs, errors, warnings and requests."""
    page = browser.new_context(**options).new_page()
    events: list[str] = []
    page.on("dialog", lambda dialog: (events.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda line: events.append(line.text) if line.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith(("file:", "data:")) else events.append(sent.url))
    page.goto(file.as_uri())
    return page, events
