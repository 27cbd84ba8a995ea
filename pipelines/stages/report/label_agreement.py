"""The label agreement of exports, from `agreement.json`, and the images that lost most of their content."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.definition.schema import DataConfig
from pipelines.networks import load_predictor
from pipelines.stages.export.translation import Tiling, Translator, load_translator
from pipelines.training.open_data import open_recorded_dataset
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, read_json
from segda.data.dataset import Dataset
from segda.data.decode import read_rgb
from segda.data.resize import resize_image, resize_label
from segda.export.agreement import FILE_NAME
from segda.export.format import ENDINGS
from segda.export.layout import DATA
from segda.export.shards import image_in
from segda.report.page import Agreement
from segda.report.pictures import Picture, PictureRow

_LISTED = 20


def of_exports(stages: Mapping[Path, Manifest], pictures: int, device: torch.device) -> list[Agreement]:
    """The label agreement of every export that has an `agreement.json`, with pictures of its worst images."""
    return [
        of_export(folder, manifest, pictures, device)
        for folder, manifest in stages.items()
        if (folder / FILE_NAME).is_file()
    ]


def of_export(folder: Path, manifest: Manifest, pictures: int, device: torch.device) -> Agreement:
    """The label agreement of one export, the worst images first."""
    content = read_json(folder / FILE_NAME)
    pairs = content["pairs"]
    worst = content["worst"][:_LISTED]
    return Agreement(
        stage=manifest.stage,
        mean=[content["mean"][pair] for pair in pairs],
        classes=[(name, [values[pair] for pair in pairs]) for name, values in content["classes"].items()],
        worst=[(key, [content["images"][key][pair] for pair in pairs]) for key in worst],
        pictures=_pictures(folder, manifest, content, worst[:pictures], device),
        minimum=content["minimum_agreement"],
        dropped=len(content["dropped"]),
        ignored=content.get("ignored", {}).get("pixels"),
    )


def _pictures(
    folder: Path, manifest: Manifest, content: dict[str, Any], keys: Sequence[str], device: torch.device
) -> list[PictureRow]:
    """Image and label, the translated image, the judge's predictions on both, and where these differ."""
    origin = manifest.inputs.get("judge")
    if origin is None or not keys:
        return []
    judge_folder = folder.parent / origin["folder"]
    judge = load_predictor(judge_folder, manifests.load(judge_folder), device)
    translator = _translator(folder, manifest, device) if set(keys) & set(content["dropped"]) else None
    data = DataConfig(**manifest.config["data"])
    dataset = open_recorded_dataset(folder, manifest, "data")
    indices = {sample.key: index for index, sample in enumerate(dataset.samples)}
    rows = []
    for key in keys:
        image, label = dataset.read(indices[key])
        if label is None or label.ndim != 2 or image.dtype != np.uint8:
            return []  # classes of whole images have no map to show
        if data.resize is not None:
            image = resize_image(image, data.resize)
            # With `layout: source`, labels are the source's own files, at their own size.
            label = label if manifest.config.get("layout") == "source" else resize_label(label, data.resize)
        before = judge.predict(image, label.shape, "source")
        translated, after, compared = _exported(folder, manifest.config, dataset, indices[key]), None, None
        if translated is None and translator is not None:
            (translated,) = translator.translate([image])
        if translated is not None:
            after = judge.predict(translated, label.shape, "source")
            compared = np.where(label == dataset.space.ignore_index, label, before)  # ignored pixels are not compared
        pictures = [
            Picture("source", image), Picture("label", label), Picture("predicted before", before),
            Picture("translated", translated), Picture("predicted after", after),
            Picture("changed by translation", after, compared),
        ]  # fmt: skip
        agreement = content["images"][key][content["pairs"][0]]
        left_out = ", left out" if key in content["dropped"] else ""
        rows.append(PictureRow(f"{key}: agreement {100 * agreement:.1f}{left_out}", pictures))
    return rows


def _translator(folder: Path, manifest: Manifest, device: torch.device) -> Translator | None:
    """What translated an export, to show what was left out of it; `None` where no stage did."""
    origin = manifest.inputs.get("translator")
    if origin is None:
        return None
    trained = folder.parent / origin["folder"]
    tile = manifest.config.get("tile")
    tiling = None if tile is None else Tiling((tile[0], tile[1]), manifest.config["overlap"])
    return load_translator(trained, manifests.load(trained), device, tiling)


def _exported(folder: Path, config: dict[str, Any], dataset: Dataset, index: int) -> np.ndarray | None:
    """A translated image, uint8 RGB `[H, W, 3]`, in any layout; `None` where it was dropped."""
    sample, layout = dataset.samples[index], config.get("layout", "segda")
    if layout in ("webdataset", "parquet"):
        # Dropped samples leave the others in their shards.
        shard = next((folder / DATA).glob(f"train-{index // config['shard']:05d}*"), None)
        return None if shard is None else image_in(shard, sample.key)
    if layout == "source":
        files = [folder / DATA / sample.image.relative_to(dataset.root)]
    else:
        images = (folder / DATA if layout == "huggingface" else folder) / "images"
        files = [images / f"{sample.key}{ending}" for endings in ENDINGS.values() for ending in endings]
    return next((read_rgb(file) for file in files if file.is_file()), None)
