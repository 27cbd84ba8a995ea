"""Set the evaluated rows side by side for people: one HTML file with table, curves and pictures, and its parts."""

import time
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveInt

from pipelines import batches, training
from pipelines.export import translated
from pipelines.stage import Component, Data, Inputs, Reference, StageConfig
from segda import label_space
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, read_json
from segda.data.dataset import Dataset, Sample
from segda.data.transforms import resize_image
from segda.engine.evaluate import as_input
from segda.engine.session import Session
from segda.report import page
from segda.report.pictures import Picture, PictureRow
from segda.report.table import Result

VERSION = 1
OUTPUTS = ("report.html", "pictures.png")


class Config(StageConfig):
    """A reporting stage.

    Attributes:
        evaluation: the `evaluate` stage whose rows are shown.
        source: images of the source, for the pictures.
        data: labelled images of the target, for the pictures.
        translator: a stage that published `encoder` and `decoder`; none, and no translated images are shown.
        before: the networks before adaptation.
        after: the networks after it.
        pictures: how many images of each domain are shown, spread evenly over the sets.
    """

    evaluation: Reference
    source: Data
    data: Data
    translator: Reference | None = None
    before: Reference
    after: Reference
    pictures: PositiveInt = 4


def run(config: Config, inputs: Inputs, folder: Path, session: Session) -> dict[str, Any]:
    """Write the report; one process does it."""
    if session.is_main:
        chain = ancestors(inputs.folder(config.evaluation))
        evaluations = read_json(inputs.folder(config.evaluation) / "evaluation.json")
        content = page.ReportContent(
            title=str(inputs.manifest(config.evaluation).provenance.get("run", folder.name)),
            space=label_space.load(config.task.options["labels"]),
            results=[Result(name, [evaluation]) for name, evaluation in evaluations.items()],
            seeds=[config.seed],
            created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            command=str(inputs.manifest(config.evaluation).provenance.get("command", "")),
            stages=[
                page.StageState(m.stage, m.kind, "done", m.provenance.get("seconds"), where.name) for where, m in chain
            ],
            logs={m.stage: where / "log.jsonl" for where, m in chain if (where / "log.jsonl").is_file()},
            pictures=picture_rows(config, inputs, session.device),
            notes=notes(evaluations),
            versions=inputs.manifest(config.evaluation).provenance.get("packages", {}),
        )
        page.write(folder, content)
        session.print(f"report: {folder / 'report.html'}")
    session.barrier()
    return {}


def ancestors(folder: Path) -> list[tuple[Path, Manifest]]:
    """A finished stage and all that it was made from, each after what it was made from."""
    found: dict[Path, Manifest] = {}

    def visit(place: Path) -> None:
        if place in found:
            return
        manifest = manifests.load(place)
        for origin in manifest.inputs.values():
            if origin.get("folder"):
                visit(folder.parent / Path(origin["folder"]).name)
        found[place] = manifest

    visit(folder)
    return list(found.items())


def notes(evaluations: dict[str, Any]) -> list[str]:
    """What part of the way from the first row to the oracle the best adapted row went; no oracle, no sentence."""
    scores = {name: evaluation["scores"]["mean_iou"] for name, evaluation in evaluations.items()}
    oracles = {name for name, evaluation in evaluations.items() if evaluation["protocol"]["trained_on_target_labels"]}
    first = next(iter(scores))
    adapted = {name: score for name, score in scores.items() if name not in oracles and name != first}
    if not oracles or not adapted or any(score is None for score in scores.values()):
        return []
    best = max(adapted, key=lambda name: adapted[name])
    oracle = max(oracles, key=lambda name: scores[name])
    gap = scores[oracle] - scores[first]
    closed = f"{(adapted[best] - scores[first]) / gap:.0%} of the gap to {oracle!r}" if gap > 0 else "there is no gap"
    return [f"Best adapted row: {best!r}, {100 * (adapted[best] - scores[first]):+.1f} points of mIoU; {closed}."]


def picture_rows(config: Config, inputs: Inputs, device: torch.device) -> list[PictureRow]:
    """Source and translated image, target image and label, predictions before and after adaptation."""
    source = batches.open_data(config, "source", inputs, with_labels=False)
    target = batches.open_data(config, "data", inputs, with_labels=True)
    task = training.task_of(Component(**inputs.manifest(config.before).config["task"]))
    predictors = {
        title: training.networks_of(
            inputs.folder(reference), inputs.manifest(reference).config, ("encoder", "head"), device
        )
        for title, reference in (("before adaptation", config.before), ("after adaptation", config.after))
    }
    translator = config.translator and training.networks_of(
        inputs.folder(config.translator), inputs.manifest(config.translator).config, ("encoder", "decoder"), device
    )
    rows = []
    for shown, wanted in zip(spread(source, config.pictures), spread(target, config.pictures), strict=False):
        pictures = []
        image = source.decode_image(shown.image)
        if config.source.resize is not None:
            image = resize_image(image, config.source.resize)
        pictures.append(Picture("source", image))
        if translator is not None:
            pictures.append(Picture("translated", translated(translator, image, device)))
        photograph = target.decode_image(wanted.image)
        pictures.append(Picture("target", photograph))
        if wanted.label is None:
            continue
        label = target.decode_label(wanted.label)
        pictures.append(Picture("label", label))
        size = (int(label.shape[0]), int(label.shape[1]))
        for title, networks in predictors.items():
            with torch.inference_mode():
                classes = task.predict(networks, as_input(photograph, config.data.resize).to(device), size)[0]
            pictures.append(Picture(title, classes.byte().cpu().numpy()))
        rows.append(PictureRow(f"{shown.key} / {wanted.key}", pictures))
    return rows


def spread(dataset: Dataset, count: int) -> list[Sample]:
    """`count` samples at even distances through a data set."""
    count = min(count, len(dataset))
    return [dataset.samples[index * len(dataset) // count] for index in range(count)]
