"""IoU of predicted label images against the labels of Cityscapes, equal to the official script's.

    python examples/score_predictions.py predictions data/cityscapes/gtFine/val

Predictions are PNGs of raw Cityscapes ids at full size, as the benchmark's server takes them and `segda predict` writes
them: one for each `<city>_<sequence>_<frame>_gtFine_labelIds.png`, with the same first three parts in its name.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from segda.data.decode import read_index
from segda.data.label_decoder import LabelDecoder
from segda.label_spaces.cityscapes import IDS, SPACE
from segda.metrics.mean_iou import Confusion


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the IoU of each class and their mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, nargs="?", default=Path("predictions"))
    parser.add_argument("labels", type=Path, nargs="?", default=Path("data/cityscapes/gtFine/val"))
    args = parser.parse_args(arguments)

    decode = LabelDecoder(SPACE, IDS, read_index)  # raw ids to class indices, 255 where not evaluated
    confusion = Confusion(SPACE.classes, SPACE.ignore_index)
    label_paths = sorted(args.labels.rglob("*_labelIds.png"))
    for label_path in label_paths:
        name = "_".join(label_path.name.split("_")[:3])
        matches = sorted(args.predictions.rglob(f"{name}*.png"))
        if len(matches) != 1:
            parser.error(f"{args.predictions}: {len(matches)} files called {name}*.png; expected one prediction")
        confusion.update(decode(label_path), decode(matches[0]), str(label_path))

    print(f"{len(label_paths)} images, {confusion.pixels} pixels")
    for name, iou in zip(SPACE.classes, confusion.iou().tolist(), strict=True):
        print(f"{name:15}{100 * iou:6.1f}")  # nan: neither labelled nor predicted, and not in the mean
    print(f"{'mean IoU':15}{100 * confusion.mean_iou():6.1f}")


if __name__ == "__main__":
    main()
