"""The peers' sides of `tools.bench.peers`; run in their environment, which has no segda's requirements.

Reads numbers from the standard input; for each it makes so many samples or steps and prints the processor's seconds
that they took.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import cv2
import torch
from torch import nn

from segda.torchvision_compat import import_ready

# ImageNet's, of pixels from 0 to 255.
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def pairs(root: Path) -> Iterator[tuple[Path, Path]]:
    """Images with their labels, for ever."""
    images = sorted((root / "images").rglob("*.png"))
    return cycle([(image, root / "labels" / image.relative_to(root / "images")) for image in images])


def mmsegmentation(root: Path) -> Callable[[], object]:
    """A sample by mmsegmentation's transforms, as its configs for Cityscapes name them, and its normalisation."""
    # The package imports operators that no transform uses, of a build of mmcv that the index does not have.
    sys.modules["mmcv.ops"] = MagicMock()
    from mmcv.transforms import Compose, LoadImageFromFile, RandomFlip, RandomResize
    from mmengine.model import ImgDataPreprocessor
    from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs, RandomCrop

    chain = Compose([
        LoadImageFromFile(),
        LoadAnnotations(),
        RandomResize(scale=(1280, 720), ratio_range=(0.5, 2.0), keep_ratio=False),
        RandomCrop(crop_size=(512, 512), cat_max_ratio=1.0),
        RandomFlip(prob=0.5),
        PackSegInputs(),
    ])  # fmt: skip
    ready = ImgDataPreprocessor(MEAN, STD, bgr_to_rgb=True)  # as mmsegmentation's, which needs compiled operators
    files = pairs(root)

    def make() -> object:
        image, label = next(files)
        done = chain({
            "img_path": str(image), "seg_map_path": str(label), "reduce_zero_label": False, "seg_fields": [],
            "label_map": {},
        })  # fmt: skip
        return ready({"inputs": [done["inputs"]]}), done["data_samples"].gt_sem_seg.data.long()

    return make


def torchvision(root: Path) -> Callable[[], object]:
    """A sample by torchvision's transforms, in the order of its reference script for segmentation."""
    import_ready()
    from PIL import Image
    from torchvision import tv_tensors
    from torchvision.transforms import v2

    def resized(image: Any, label: Any) -> tuple[Any, Any]:
        factor = float(torch.empty(()).uniform_(0.5, 2.0))
        size = [round(720 * factor), round(1280 * factor)]
        functional = v2.functional
        return functional.resize(image, size), functional.resize(label, size, v2.InterpolationMode.NEAREST)

    chain = v2.Compose([
        v2.RandomHorizontalFlip(0.5),
        v2.RandomCrop((512, 512), pad_if_needed=True, fill={tv_tensors.Mask: 255, "others": 0}),
        v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}, scale=True),
        v2.Normalize([value / 255 for value in MEAN], [value / 255 for value in STD]),
    ])  # fmt: skip
    files = pairs(root)

    def make() -> object:
        image, label = (Image.open(file) for file in next(files))
        pair = tv_tensors.Image(v2.functional.pil_to_tensor(image)), tv_tensors.Mask(v2.functional.pil_to_tensor(label))
        return chain(*resized(*pair))

    return make


def torchvision_step(root: Path) -> Callable[[], object]:
    """A step of torchvision's DeepLabV3 in the loop of its reference script."""
    import_ready()
    from torchvision.models.segmentation import deeplabv3_resnet50

    model = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=19).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    image, label = torch.rand(2, 3, 256, 256), torch.randint(0, 19, (2, 256, 256))

    def make() -> object:
        loss = nn.functional.cross_entropy(model(image)["out"], label, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return make


if __name__ == "__main__":
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    make = {"mmsegmentation": mmsegmentation, "torchvision": torchvision, "torchvision_step": torchvision_step}[
        sys.argv[1]
    ](Path(sys.argv[2]))
    for line in sys.stdin:
        start = time.process_time()
        for _ in range(int(line)):
            make()
        print(json.dumps(time.process_time() - start), flush=True)
