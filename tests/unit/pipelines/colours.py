"""A classification run that takes seconds: red, green and blue squares, brighter in the target."""

from pathlib import Path

import numpy as np

from pipelines.definition import loading as pipelines
from pipelines.running.execution import run_pipeline
from segda.artefacts.store import Store
from segda.engine.session import Session

PIPELINE = """
task: {name: classification, labels: digits}
runtime: {workers: 0, cpu: true}
stages:
  before:
    kind: supervise
    data: &source {name: arrays, root: SOURCE}
    method: source_only
    networks: {encoder: &encoder {name: small, width: 4, blocks: 1}, head: &head {name: pooled}}
    steps: 30
    batch: 8
    optimizer: &adam {learning_rate: 0.01}
    augment: {flip: false}
  after:
    kind: align
    source: *source
    target: {name: arrays, root: TARGET}
    method:
      title: reconstruction
      terms: {classification: {weight: 1}, identity: {weight: 1}}
    networks: {encoder: *encoder, head: *head, decoder: {name: transposed, features: [8, 8]}}
    steps: 30
    batch: 8
    optimizer: *adam
    augment: {flip: false}
  evaluate:
    kind: evaluate
    data: &test {name: arrays, root: TARGET}
    rows: {source only: {from: before}, adapted: {from: after}}
  report:
    kind: report
    evaluation: {from: evaluate}
    source: *source
    data: *test
    translator: {from: after}
    before: {from: before}
    after: {from: after}
    thumbnails: 6
    embedding: 12
"""


def write_squares(folder: Path, count: int, brightness: int, seed: int) -> None:
    """`train.npz` with squares of 16x16; class 0 is red, 1 green, 2 blue."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = generator.integers(0, 60, (count, 16, 16, 3), dtype=np.uint8) + np.uint8(brightness)
    for image, label in zip(images, labels, strict=True):
        image[4:12, 4:12, label] += 80
    folder.mkdir()
    np.savez(folder / "train.npz", images=images, labels=labels)


def run(folder: Path) -> Store:
    """The finished run `colours`; its data are in `source` and `target` in the same folder."""
    write_squares(folder / "source", 30, 20, 0)
    write_squares(folder / "target", 24, 90, 1)
    file = folder / "colours.yaml"
    text = PIPELINE.replace("SOURCE", str(folder / "source")).replace("TARGET", str(folder / "target"))
    file.write_text(text, encoding="utf-8")
    store = Store(folder / "runs")
    run_pipeline(pipelines.load(str(file), ()), store, Session(cpu=True), ())
    return store
