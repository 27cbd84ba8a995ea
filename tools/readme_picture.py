"""Draw the picture of the README from a finished run of `streets`: images, label, predictions before and after.

    segda run streets
    python -m tools.readme_picture --out docs/images/streets.png

The images are the first of the rendered set, and the validation image whose pixel accuracies before and after
adaptation are closest to the mean of the whole split.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from pipelines.commands.arguments import finished_rows
from pipelines.definition.schema import DataConfig
from pipelines.networks import load_predictor
from segda.artefacts.store import Store
from segda.files import write_whole
from segda.report.thumbnails import Line, Tile, grid
from tools.moons_figure import opened

WIDTH = 256  # of a panel, in pixels; three panels side by side are 792


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="the folder of the finished run (./runs)")
    parser.add_argument("--out", type=Path, default=Path("streets.png"), help="the file to write (./streets.png)")
    args = parser.parse_args()
    write_whole(args.out, draw(Store(args.runs), "streets"))


def draw(store: Store, run: str) -> bytes:
    """Three panels above three, each with its title, as a PNG."""
    lock = store.read_lock(run)
    stages = lock["config"]["stages"]
    configs = (stages["report"]["source"], stages["both"]["source"], stages["evaluate"]["data"])
    source, translated, target = (opened(store, lock, DataConfig.model_validate(config)) for config in configs)
    images, labels = zip(*(target.read(index) for index in range(len(target))), strict=True)
    predictions = []
    for folder, manifest in finished_rows(store, run, ["source only", "pixel+feature"]).values():
        height, width = stages["evaluate"]["data"]["resize"]
        predictor = replace(load_predictor(folder, manifest, torch.device("cpu")), resize=(height, width))
        predictions.append([predictor.predict(image) for image in images])
    accuracy = np.array([
        [np.mean(predicted[label != 255] == label[label != 255]) for predicted, label in zip(row, labels, strict=True)]
        for row in predictions
    ])  # fmt: skip
    index = int(np.abs(accuracy - accuracy.mean(axis=1, keepdims=True)).sum(axis=0).argmin())
    before, after = (f"{share:.0%} right" for share in accuracy[:, index])
    paint = target.space.colorize
    panels = {
        "source, with labels": source.read(0)[0],
        "source, translated": translated.read(0)[0],
        "target, without labels": images[index],
        f"prediction before, {before}": paint(predictions[0][index]),
        f"prediction after, {after}": paint(predictions[1][index]),
        "label, used for scoring only": paint(labels[index]),
    }
    return grid([Tile(pixels, [Line(title)]) for title, pixels in panels.items()], columns=3, width=WIDTH)


if __name__ == "__main__":
    main()
