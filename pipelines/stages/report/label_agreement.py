"""What `agreement.json` beside an export says, and the images that lost most of their content."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipelines.definition.schema import DataConfig
from pipelines.networks import working_size
from pipelines.stages.report.samples import Predictor
from pipelines.training.open_data import data_root, open_dataset
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, read_json
from segda.data.dataset import Dataset
from segda.data.decode import read_rgb
from segda.data.transforms import resize_image, resize_label
from segda.export.format import ENDINGS
from segda.export.layout import DATA
from segda.export.shards import image_in
from segda.report.page import Agreement
from segda.report.pictures import Picture, PictureRow

FILE_NAME = "agreement.json"
_LISTED = 20


def of_chain(chain: Sequence[tuple[Path, Manifest]], pictures: int, device: torch.device) -> list[Agreement]:
    """The label agreement of every exported set that was judged; none where no export has an `agreement.json`.

    Args:
        chain: finished stages.
        pictures: how many of the worst images of a set are shown.
        device: where to predict.
    """
    judged = [(folder, manifest) for folder, manifest in chain if (folder / FILE_NAME).is_file()]
    return [of_export(folder, manifest, pictures, device) for folder, manifest in judged]


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
    )


def _pictures(
    folder: Path, manifest: Manifest, content: dict[str, Any], keys: Sequence[str], device: torch.device
) -> list[PictureRow]:
    """Image and label, the translated image, what the judge saw in either, and where it saw something else."""
    entry = manifest.inputs.get("judge")
    if entry is None or not keys:
        return []
    place = folder.parent / Path(entry["folder"]).name
    judge = manifests.load(place)
    predictor, resize = Predictor(place, judge, device), working_size(judge)
    data = DataConfig(**manifest.config["data"])
    dataset = _opened(folder, manifest, data)
    numbers = {sample.key: number for number, sample in enumerate(dataset.samples)}
    rows = []
    for key in keys:
        image, label = dataset.read(numbers[key])
        if label is None or label.ndim != 2 or image.dtype != np.uint8:
            return []  # classes of whole images have no map to look at
        layout = manifest.config.get("layout", "segda")
        if data.resize is not None:
            image = resize_image(image, data.resize)
            # Other trainers get the source's own label files, at their own size.
            label = label if layout == "source" else resize_label(label, data.resize)
        before = predictor(image, resize, label.shape, "source")
        shown = [
            Picture("source", image),
            Picture("label", label),
            Picture("predicted before", before),
        ]
        translated = _exported(folder, manifest.config, dataset, numbers[key])
        if translated is None:
            shown += [Picture(title, None) for title in ("translated", "predicted after", "changed by translation")]
        else:
            after = predictor(translated, resize, label.shape, "source")
            shown += [
                Picture("translated", translated),
                Picture("predicted after", after),
                # What is not scored is not compared either.
                Picture("changed by translation", after, np.where(label == dataset.space.ignore_index, label, before)),
            ]
        agreement = content["images"][key][content["pairs"][0]]
        rows.append(PictureRow(f"{key}: agreement {100 * agreement:.1f}", shown))
    return rows


def _opened(folder: Path, manifest: Manifest, data: DataConfig) -> Dataset:
    """The set that an export was made from, with its labels."""
    if isinstance(data.root, str):
        root = data_root(data)
    else:
        origin = manifest.inputs["data.root"]
        root = folder.parent / Path(origin["folder"]).name / (origin["output"] or "")
    return open_dataset(data, manifest.config["task"]["labels"], root, True)


def _exported(folder: Path, config: dict[str, Any], dataset: Dataset, number: int) -> np.ndarray | None:
    """A translated image, uint8 RGB `[H, W, 3]`, from wherever its layout has put it; `None` where it was left out."""
    sample, layout = dataset.samples[number], config.get("layout", "segda")
    if layout in ("webdataset", "parquet"):
        # Samples that were left out do not move the others from one shard to the next.
        found = next((folder / DATA).glob(f"train-{number // config['shard']:05d}*"), None)
        return None if found is None else image_in(found, sample.key)
    if layout == "source":
        files = [folder / DATA / sample.image.relative_to(dataset.root)]
    else:
        place = folder / DATA if layout == "huggingface" else folder
        files = [place / "images" / f"{sample.key}{ending}" for endings in ENDINGS.values() for ending in endings]
    return next((read_rgb(file) for file in files if file.is_file()), None)
