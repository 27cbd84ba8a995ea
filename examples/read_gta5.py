"""GTA5 in a PyTorch DataLoader, its labels in the 19 classes of Cityscapes.

    python examples/read_gta5.py data/gta5 --crop 512 1024 --batch 4

The folder holds `images` and `labels` as published; configs/data/gta5.yaml describes it. The three useless frames are
left out, and the labels of another size than their images are resized.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from segda import label_space
from segda.data.augmentation.crop import TrainTransform
from segda.data.loader import to_tensor
from segda.data.readers import gta5


class GTA5(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of an image, float32 `[3, H, W]` in `[-1, 1]`, and its label, int64 `[H, W]`, 255 where ignored."""

    def __init__(self, root: Path, space: label_space.LabelSpace, transform: TrainTransform) -> None:
        self.data = gta5.build(root, space)
        self.transform = transform
        self.epoch = 0  # count it up before each epoch: the crops are a function of seed, epoch and index

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, label = self.data.read(index)
        image, label = self.transform(image, label, self.epoch * len(self) + index)
        return to_tensor(image), torch.from_numpy(label).long()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the shapes of one batch and the share of each class in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, nargs="?", default=Path("data/gta5"))
    parser.add_argument("--crop", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(arguments)

    space = label_space.load("cityscapes")
    transform = TrainTransform(crop=tuple(args.crop), scale=(0.5, 1.5), flip=True, seed=0)
    dataset = GTA5(args.root, space, transform)
    loader = DataLoader(dataset, batch_size=args.batch, shuffle=True, num_workers=args.workers, drop_last=True)

    print(f"{len(dataset)} images, {len(loader)} batches")
    image, label = next(iter(loader))
    print(f"image {list(image.shape)}, from {image.min().item():.2f} to {image.max().item():.2f}")
    print(f"label {list(label.shape)}, {100 * (label == space.ignore_index).float().mean().item():.1f} % ignored")
    counts = torch.bincount(label[label != space.ignore_index], minlength=space.count)
    for name, share in zip(space.classes, (counts / counts.sum()).tolist(), strict=True):
        print(f"{name:15}{100 * share:6.1f} %")


if __name__ == "__main__":
    main()
