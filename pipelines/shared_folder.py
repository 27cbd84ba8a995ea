"""A folder of finished networks that stands alone: `model.safetensors`, `config.json` and a model card.

It is what a repository of the Hugging Face Hub holds. Where encoder and head are smp's, tensors have smp's names and
`config.json` has smp's keys, too, so that `smp.from_pretrained` opens it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
from torch import nn

from pipelines.definition.schema import ComponentConfig, MethodConfig, NetworksConfig, Size
from pipelines.definition.strict import StrictConfig
from segda import __version__, label_space
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, read_json, write_json
from segda.batch import Domain
from segda.config.validation import validate
from segda.errors import ArtefactError, ConfigError, reason
from segda.files import write_whole
from segda.networks import smp_model
from segda.networks.layers.imagenet_norm import ImagenetNorm
from segda.networks.networks import Networks

CONFIG, TENSORS, CARD = "config.json", "model.safetensors", "README.md"
KEY = "_segda"
"""Of segda's part of `config.json`: smp passes over keys that begin with an underscore."""
FORMAT = 1


class DataName(StrictConfig):
    """Data of the training: its reader and split, and the stage that made it, if one did."""

    reader: str
    split: str
    stage: str | None = None


class Normalisation(StrictConfig):
    """Mean and deviation of red, green and blue in `[0, 1]` that the network subtracts and divides by, by itself."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class SharedConfig(StrictConfig):
    """What `config.json` says of the networks.

    Attributes:
        format: of these keys, for later versions.
        segda: the version that wrote them.
        run, row, key: where the networks come from: the run, its row or stage, and the stage's key.
        task: with the label space.
        classes, palette: of the label space, by class index.
        networks: encoder and head, as configured.
        method: what they were trained by.
        resize: height and width of what the networks see; `None` for each image's own.
        bands, values: how pictures are read; see `segda.data.pictures.PictureOptions`.
        domain: whose encoder sees the images, where there are two.
        rule: how a prediction is made, without test-time augmentation.
        normalisation: inside the network; smp's models need it done before.
        data: the training's data by field.
        datasets: readers of the data sets that went into it, also by way of earlier stages; not of generated data.
        steps, seed: of the training.
        packages: versions at the training.
    """

    format: Literal[1] = 1
    segda: str = __version__
    run: str
    row: str
    key: str
    task: ComponentConfig
    classes: list[str]
    palette: list[tuple[int, int, int]]
    networks: NetworksConfig
    method: MethodConfig
    resize: Size | None
    bands: tuple[int, ...] | None
    values: tuple[float, float] | None
    domain: Domain
    rule: str
    normalisation: Normalisation
    data: dict[str, list[DataName]]
    datasets: list[str]
    steps: int | None
    seed: int
    packages: dict[str, str]


def is_shared(folder: Path) -> bool:
    """Whether a folder is one that `write` wrote."""
    return (folder / TENSORS).is_file() and (folder / CONFIG).is_file()


def write(networks: Networks, config: SharedConfig, card: str, folder: Path) -> None:
    """Write the three files, each whole or not at all, `config.json` last.

    Raises:
        ArtefactError: the folder holds something else of these names, or cannot be written.
    """
    present = [name for name in (CONFIG, TENSORS, CARD) if (folder / name).exists()]
    if present and not (is_shared(folder) and KEY in read_json(folder / CONFIG)):
        raise ArtefactError(f"{folder / present[0]}: is there already, and no network of segda; name another folder")
    tensors = {
        f"{name}.{key}": tensor.detach().to("cpu", copy=True).contiguous()
        for name, module in networks.modules.items()
        for key, tensor in module.state_dict().items()
    }
    raw = config.model_dump(mode="json", by_alias=True)
    smp = smp_model.config_of(
        raw["networks"]["encoder"], raw["networks"]["head"], len(config.classes),
        {name: tuple(tensor.shape) for name, tensor in tensors.items()},
    )  # fmt: skip
    if smp is not None:
        tensors = smp_model.as_smp(tensors)
    (folder / CONFIG).unlink(missing_ok=True)  # so that no old config stands beside new tensors
    # Libraries look for the format in the metadata.
    write_whole(folder / TENSORS, safetensors.torch.save(tensors, metadata={"format": "pt"}))
    write_whole(folder / CARD, card.encode())
    write_json(folder / CONFIG, {**(smp or {}), KEY: raw})


def read(folder: Path) -> SharedConfig:
    """What `config.json` says.

    Raises:
        ArtefactError: it is no config of segda's, or of a later version, or damaged.
    """
    path = folder / CONFIG
    content = read_json(path).get(KEY)
    if not isinstance(content, dict):
        raise ArtefactError(f"{path}: has no {KEY!r}, so no segda wrote it; give a folder of save_pretrained")
    if content.get("format") != FORMAT:
        raise ArtefactError(f"{path}: format {content.get('format')!r}, this segda reads {FORMAT}; install a newer one")
    try:
        config = validate(SharedConfig, content, "")
        space = label_space.load(config.task.options["labels"])
    except (ConfigError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path}: damaged ({reason(error)}); fetch it again") from None
    if list(space.classes) != config.classes:
        raise ArtefactError(
            f"{path}: its classes are not those of label space {space.name!r} here; install segda {config.segda}"
        )
    return config


def manifest(folder: Path) -> Manifest:
    """The networks as a finished stage, whose networks `load_tensors` reads.

    Raises:
        ArtefactError: as `read`.
    """
    config = read(folder)
    raw = config.model_dump(mode="json", by_alias=True)
    reading = {key: raw[key] for key in ("resize", "bands", "values")}
    kept = {key: raw[key] for key in ("task", "networks", "method", "steps", "seed")}
    return Manifest(
        stage=config.row, kind="shared", version=FORMAT, key=config.key, config={**kept, "target": reading}, inputs={},
        outputs={}, provenance={"run": config.run, "packages": config.packages},
    )  # fmt: skip


def load_tensors(modules: Mapping[str, nn.Module], folder: Path) -> None:
    """Read the networks' tensors.

    Raises:
        ArtefactError: the file is damaged, or of other networks than `config.json` says.
    """
    path = folder / TENSORS
    try:
        tensors = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise ArtefactError(f"{path}: damaged ({reason(error)}); fetch it again") from error
    named = smp_model.tensor_names if "_model_class" in read_json(folder / CONFIG) else str
    for name, module in modules.items():
        expected = {key: named(f"{name}.{key}") for key in module.state_dict()}
        for key, tensor in module.state_dict().items():
            found = tensors.get(expected[key])
            if found is None or found.shape != tensor.shape:
                shape = "none" if found is None else list(found.shape)
                raise ArtefactError(
                    f"{path}: {expected[key]}: found {shape}, expected {list(tensor.shape)} by {CONFIG}; fetch both "
                    "again"
                )
        nn.Module.load_state_dict(module, {key: tensors[expected[key]] for key in expected})


def normalisation(networks: Networks) -> Normalisation:
    """The normalisation inside the networks; segda's own take `[-1, 1]`, a mean and deviation of 0.5."""
    for module in networks.modules.values():
        for part in module.modules():
            if isinstance(part, ImagenetNorm):
                mean, std = (
                    tuple(round(value, 6) for value in each.flatten().tolist()) for each in (part.mean, part.std)
                )
                return Normalisation.model_validate({"mean": mean, "std": std})
    return Normalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def datasets(stage: Path) -> list[str]:
    """The readers of the data sets that a finished stage was made from, also by way of earlier stages that are here."""
    read: dict[Path, Manifest] = {}
    waiting = [stage]
    while waiting:
        folder = waiting.pop()
        if folder not in read and (folder / manifests.FILE_NAME).is_file():
            read[folder] = manifests.load(folder)
            waiting += manifests.origins(folder, read[folder])
    origins = (origin for each in read.values() for origin in each.inputs.values())
    return sorted({str(origin["dataset"]) for origin in origins if origin.get("dataset")})


def data_names(manifest: Manifest) -> dict[str, list[DataName]]:
    """The data sets of a stage's training, by field."""
    names: dict[str, list[DataName]] = {}
    for field in ("source", "data", "target"):
        given: Any = manifest.config.get(field) or []
        for data in given if isinstance(given, list) else [given]:
            root = data.get("root")
            stage = root.get("from") if isinstance(root, dict) else None
            names.setdefault(field, []).append(DataName(reader=data["name"], split=data["split"], stage=stage))
    return names
