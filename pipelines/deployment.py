"""From a finished stage to a file that other programs run: traced, compared, scored, and described in it."""

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pipelines.definition.schema import DataConfig
from pipelines.networks import load_predictor, working_size
from pipelines.stages.export.translation import SMALL, load_translator
from pipelines.training.open_data import open_recorded_dataset
from pipelines.training.unreadable_files import open_readable
from segda import __version__
from segda.artefacts.manifest import Manifest
from segda.data.dataset import Dataset
from segda.deployment import comparison
from segda.deployment.deploy import deploy
from segda.deployment.deployed import FORMATS, METADATA, Deployed, Example
from segda.errors import ConfigError
from segda.evaluation.batching import as_input
from segda.evaluation.evaluate import RESIZE_RULE, evaluate
from segda.evaluation.predict import Predictor
from segda.files import write_whole
from segda.networks.image_network import ImageNetwork, TranslatorNetwork
from segda.networks.networks import Networks

Precision = Literal["fp32", "fp16", "int8"]

# Traced at a size of which no stage of a network has the same number of rows and columns, or a single one.
_TRACED = (288 - 26, 416 - 26)
_TRIED = ((1, 64, 96), (3, 75, 130))
_CALIBRATION, _HELD_OUT = 40, 5


@dataclass(frozen=True)
class Subject:
    """A finished network to export.

    Attributes:
        row: what it is called in the run.
        folder, manifest: of its stage.
        network: of images, on the CPU.
        networks: its parts.
        predictor: reads classes from it; `None` of a translator.
    """

    row: str
    folder: Path
    manifest: Manifest
    network: ImageNetwork | TranslatorNetwork
    networks: Networks
    predictor: Predictor | None = None


def classifier(row: str, folder: Path, manifest: Manifest, uint8: bool) -> Subject:
    """The encoder and head of a row.

    Raises:
        ArtefactError: a network is missing or does not fit.
    """
    predictor = load_predictor(folder, manifest, torch.device("cpu"))
    pixelwise = predictor.task.measure == "IoU"
    network = ImageNetwork(predictor.networks, pixelwise=pixelwise, uint8=uint8)
    return Subject(row, folder, manifest, network, predictor.networks, predictor)


def translator(row: str, folder: Path, manifest: Manifest, uint8: bool) -> Subject:
    """The encoder and decoder of a stage that translates source images into the target's look.

    Raises:
        ArtefactError: a network is missing or does not fit.
        ConfigError: the stage does not translate to the target.
    """
    loaded = load_translator(folder, manifest, torch.device("cpu"))
    if "target" not in loaded.domains:
        raise ConfigError(f"{folder.name}: decodes to {', '.join(loaded.domains)} alone; name a stage that translates")
    size = working_size(manifest)
    padded = size is None or size[0] * size[1] > SMALL
    return Subject(
        row, folder, manifest, TranslatorNetwork(loaded.networks, uint8=uint8, padded=padded), loaded.networks
    )


def export(
    subject: Subject, path: Path, precision: Precision, data: DataConfig | None, per_class: bool
) -> Iterator[str]:
    """Trace, compare, score where `data` is given, and write; lines that say what was found.

    Raises:
        ConfigError: the network cannot be exported.
        ArtefactError: the export computes something else than the network; nothing is written.
        DataError: a data set is missing or damaged.
    """
    uint8 = subject.network.uint8
    size, free = _size(subject)
    traced_size = _TRACED if free else size
    shapes = [*_TRIED, (2, *size)] if free else [(1, *size), (3, *size)]
    example = Example(comparison.random_image((2, *traced_size), uint8), free)
    traced: nn.Module = copy.deepcopy(subject.network).half() if precision == "fp16" else subject.network
    deployed = deploy(traced, example, path)
    tolerance = comparison.TOLERANCES["fp16" if precision == "fp16" else "fp32"]
    differences = comparison.demand_equal(subject.network, deployed, shapes, uint8, tolerance)
    facts: dict[str, Any] = {"tolerance": tolerance, "differences": [asdict(each) for each in differences]}
    if precision == "int8":
        deployed, facts["agreement"] = _quantised(subject, deployed)
    facts.update(_description(subject, size, free), format=FORMATS[path.suffix], precision=precision)
    facts["versions"] = {"segda": __version__, **deployed.versions}
    yield f"{path}: {subject.row!r} of {subject.folder.name}; {_summary(facts, free, size)}"
    yield _equality(facts)
    if data is not None:
        facts["scores"] = _scores(subject, deployed, data)
        yield from _score_lines(facts["scores"], per_class)
    content = deployed.content(json.dumps(facts))
    write_whole(path, content)
    metadata = METADATA if path.suffix == ".onnx" else f"{METADATA}.json"
    yield f"{len(content) / 1e6:.1f} MB, with all this as JSON in its metadata {metadata!r}"
    yield from _usage(path, facts)


def _size(subject: Subject) -> tuple[tuple[int, int], bool]:
    """Height and width that the network saw in training, or it takes, and whether it takes others.

    Raises:
        ConfigError: the network cannot be exported.
        DataError: the network takes one size, and the data that would tell which are missing.
    """
    if subject.networks.detail_multiple:
        raise ConfigError(
            f"{subject.row}: its head `hrda` cuts windows whose number and places follow from an image's size, which "
            "cannot be exported; export a row whose head has one scale"
        )
    trained = working_size(subject.manifest)
    try:
        with torch.inference_mode():
            subject.network(comparison.random_image(_TRIED[0], subject.network.uint8))
        return trained or (256, 320), True
    except ConfigError:
        height, width = trained or _first(subject.folder, subject.manifest).shape[-2:]
    if height * width == 1:
        raise ConfigError(f"{subject.row}: takes points, no images; there is nothing to export")
    return (height, width), False


def _first(folder: Path, manifest: Manifest) -> Tensor:
    """The first image of a stage's training."""
    dataset = _training_images(folder, manifest)
    return as_input(dataset.read(0)[0])


def _training_images(folder: Path, manifest: Manifest) -> Dataset:
    """The unlabelled images that a stage adapted to, or else those it was trained on.

    Raises:
        ConfigError: these are several data sets.
        DataError: the data set is missing or damaged.
    """
    fields = ("target", "data", "source")
    field = next((field for field in fields if isinstance(manifest.config.get(field), dict)), None)
    if field is None:
        raise ConfigError(f"{folder.name}: trained on several data sets, of which none is the target; name another row")
    return open_recorded_dataset(folder, manifest, field, with_labels=False)


def _quantised(subject: Subject, deployed: Deployed) -> tuple[Deployed, float]:
    """The ONNX model in 8 bits, and the share of its predictions on held-out images that are the same."""
    from segda.deployment.onnx_format import Onnx, quantised

    assert isinstance(deployed, Onnx)  # the command lets no other through
    dataset = _training_images(subject.folder, subject.manifest)
    resize = working_size(subject.manifest)
    indices = range(0, len(dataset), -(-len(dataset) // _CALIBRATION))

    def images(chosen: Any) -> Iterator[Tensor]:
        for index in chosen:
            yield comparison.taken(as_input(dataset.read(index)[0], resize), subject.network.uint8)

    held_out = indices[::_HELD_OUT]
    rest = [index for index in indices if index not in held_out] or held_out
    made = Onnx(quantised(deployed.model, (image.numpy() for image in images(rest))))
    return made, comparison.demand_agreement(subject.network, made, images(held_out))


def _description(subject: Subject, size: tuple[int, int], free: bool) -> dict[str, Any]:
    """What a file says of its network."""
    numbers = {"type": "uint8", "range": [0, 255]} if subject.network.uint8 else {"type": "float32", "range": [0, 1]}
    image = {"shape": ["B", 3, "H", "W"] if free else ["B", 3, *size], "channels": "RGB", **numbers}
    facts: dict[str, Any] = {
        "row": subject.row,
        "stage": subject.folder.name,
        "key": subject.manifest.key,
        "input": image,
    }
    if subject.predictor is None:
        return {**facts, "output": {**image, "is": "the image in the target's look"}}
    space = subject.predictor.task.space
    trained = subject.predictor.resize
    return {
        **facts,
        "output": {
            "is": "logits",
            "shape": ["B", space.count, *(image["shape"][2:] if subject.network.pixelwise else [])],
        },
        "classes": list(space.classes),
        "palette": [list(colour) for colour in space.palette],
        "label_space": space.name,
        "prediction_rule": f"{subject.predictor.task.prediction_rule}, over axis 1",
        "resize": {"size": trained, "rule": RESIZE_RULE} if trained else None,
    }


def _summary(facts: dict[str, Any], free: bool, size: tuple[int, int]) -> str:
    opset = f" of opset {facts['versions']['opset']}" if "opset" in facts["versions"] else ""
    numbers = "uint8" if facts["input"]["type"] == "uint8" else "float32 from 0 to 1"
    sizes = "any batch, height and width" if free else f"any batch, {size[0]}x{size[1]} pixels alone"
    return f"{facts['format']}{opset} in {facts['precision']}, takes RGB images [B, 3, H, W], {numbers}, {sizes}"


def _equality(facts: dict[str, Any]) -> str:
    worst = max(each["share"] for each in facts["differences"])
    shapes = ", ".join("{}x3x{}x{}".format(*each["shape"]) for each in facts["differences"])
    line = f"equal to PyTorch at {shapes}: up to {worst:.1e} of the largest output, allowed {facts['tolerance']:.0e}"
    if "agreement" in facts:
        return f"before quantisation {line}; after it {facts['agreement']:.1%} of the predictions are the same"
    return line


def _scores(subject: Subject, deployed: Deployed, data: DataConfig) -> dict[str, Any]:
    """The scores of PyTorch's network and of the exported one, in percent, and the difference in points."""
    assert subject.predictor is not None  # the command measures no translator
    task, networks = subject.predictor.task, subject.predictor.networks
    dataset = open_readable(data, subject.manifest.config["task"]["labels"], True)
    score = "mean_iou" if task.measure == "IoU" else "pixel_accuracy"
    per_class = "iou" if task.measure == "IoU" else "class_accuracy"
    found: dict[str, Any] = {"data": data.name, "split": data.split, "images": len(dataset), "measure": score}
    exported = comparison.task_of(deployed, task, subject.network.uint8)
    for name, predicting in (("pytorch", task), ("exported", exported)):
        result = evaluate(networks, dataset, predicting, resize=data.resize or subject.predictor.resize).to_json()
        found[name] = {score: result["scores"][score], "classes": result[per_class]}
    return found


def _score_lines(scores: dict[str, Any], per_class: bool) -> Iterator[str]:
    measure, one, other = scores["measure"], scores["pytorch"], scores["exported"]
    where = f"{scores['images']} images of {scores['data']}, split {scores['split']}"
    yield f"{measure} on {where}: {_change(one[measure], other[measure])}"
    for name in one["classes"] if per_class else ():
        yield f"  {name}: {_change(one['classes'][name], other['classes'][name])}"


def _change(before: float | None, after: float | None) -> str:
    """Both scores in percent, PyTorch's first; a class that no label and no prediction has is absent from both."""
    if before is None or after is None:
        return "absent"
    return f"PyTorch {100 * before:.2f}, exported {100 * after:.2f} ({100 * (after - before):+.2f} points)"


def _usage(path: Path, facts: dict[str, Any]) -> Iterator[str]:
    """Lines of Python that use the file."""
    yield "to use it:"
    if path.suffix == ".onnx":
        yield f"  network = onnxruntime.InferenceSession({str(path)!r})"
        yield "  output = network.run(None, {'image': images})[0]"
    else:
        load = "torch.export.load({!r}).module()" if path.suffix == ".pt2" else "torch.jit.load({!r})"
        yield f"  network = {load.format(str(path))}"
        yield "  output = network(images)"
    resize = facts.get("resize")
    if "classes" in facts:
        first = (
            f"; trained on images of {resize['size'][0]}x{resize['size'][1]}, resize yours to that" if resize else ""
        )
        yield f"  classes = output.argmax(1)  # indices of {facts['label_space']}{first}"
