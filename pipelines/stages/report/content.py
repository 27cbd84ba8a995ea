"""The content of a report: the finished stages behind a table of scores, and their pictures and features."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipelines.definition.schema import Inputs
from pipelines.networks import load_predictor
from pipelines.stages.export.translation import Tiling, load_translator
from pipelines.stages.report import label_agreement, samples
from pipelines.stages.report.config import Config
from pipelines.stages.report.samples import Samples
from pipelines.training import unreadable_files
from pipelines.training.open_data import open_stage_data
from segda import label_space
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, read_json
from segda.engine import signals
from segda.engine.session import Session
from segda.label_space import LabelSpace
from segda.report import embedding, page
from segda.report.page import DataState, Illustration, LeftOut
from segda.report.table import Result

UNFINISHED = "the report is begun anew"


def write(config: Config, inputs: Inputs, folder: Path, session: Session) -> None:
    """Write the page of a stage of kind report.

    Raises:
        StoppedError: a signal asked to stop.
    """
    references = (config.evaluation, config.before, config.after, config.translator)
    stages = manifests.upstream(*(inputs.folder(reference) for reference in references if reference is not None))
    names = stage_names(stages)
    provenance = inputs.manifest(config.evaluation).provenance
    evaluations = read_json(inputs.folder(config.evaluation) / "evaluation.json")
    space = label_space.load(config.task.options["labels"])
    content = page.ReportContent(
        title=str(provenance.get("run", folder.name)),
        space=space,
        results=[Result(name, [evaluation]) for name, evaluation in evaluations.items()],
        seeds=[config.seed],
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        command=str(provenance.get("command", "")),
        stages=[
            page.StageState(names[path], m.kind, "done", m.provenance.get("seconds"), path.name, [
                names[origin] for origin in manifests.origins(path, m)
            ])
            for path, m in stages.items()
        ],
        logs={names[path]: path / "log.jsonl" for path in stages if (path / "log.jsonl").is_file()},
        confused=compared(config, inputs, stages),
        agreements=label_agreement.of_exports(stages, config.pictures, session.device),
        datasets=datasets(stages),
        left_out=left_out(stages, names),
        versions=software(provenance),
        usage=usage(config, inputs),
        **pictures_of(config, inputs, session, stages, space),
    )  # fmt: skip
    signals.raise_if_stopped(UNFINISHED)
    page.write(folder, content)
    session.print(f"report: {folder / 'report.html'}")


def stage_names(stages: Mapping[Path, Manifest]) -> dict[Path, str]:
    """A name for each folder; stages of different runs may have the same name, so their folders are added."""
    count = Counter(manifest.stage for manifest in stages.values())
    return {
        folder: manifest.stage if count[manifest.stage] == 1 else f"{manifest.stage} ({folder.name})"
        for folder, manifest in stages.items()
    }


def datasets(stages: Mapping[Path, Manifest]) -> list[DataState]:
    """The data sets that the stages opened, with the fingerprints that their keys hold."""
    users: dict[tuple[str, str, str], list[str]] = {}
    for manifest in stages.values():
        for origin in manifest.inputs.values():
            if origin.get("dataset"):
                key = (str(origin["dataset"]), str(origin.get("split", "")), str(origin["fingerprint"]))
                users.setdefault(key, []).append(manifest.stage)
    return [DataState(*key, list(dict.fromkeys(readers))) for key, readers in users.items()]


def left_out(stages: Mapping[Path, Manifest], names: Mapping[Path, str]) -> list[LeftOut]:
    """The files that the stages skipped because they could not be read."""
    return [
        LeftOut(names[path], field, [(each.file, each.reason) for each in files])
        for path, manifest in stages.items()
        for field, files in unreadable_files.of_manifest(manifest).items()
    ]


def compared(config: Config, inputs: Inputs, stages: Mapping[Path, Manifest]) -> list[str]:
    """The rows of the evaluation, or of those that it averages, that score the networks before and after adaptation."""
    folders = [inputs.folder(reference).name for reference in (config.before, config.after)]
    own = inputs.manifest(config.evaluation)
    averaged = {origin["folder"] for origin in own.inputs.values()} if own.kind == "average" else ()
    scoring = [own, *(manifest for path, manifest in stages.items() if path.name in averaged)]
    rows = [item for manifest in scoring for item in manifest.inputs.items()]
    return list(dict.fromkeys(name.removeprefix("rows.") for name, origin in rows if origin.get("folder") in folders))


def software(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Machine and packages that the evaluation's manifest names."""
    names = ("git", "cpu", "threads", "device", "mixed_precision", "world_size", "python")
    machine = {name.replace("_", " "): str(provenance[name]) for name in names if provenance.get(name) is not None}
    return {**machine, **provenance.get("packages", {})}


def usage(config: Config, inputs: Inputs) -> list[tuple[str, str]]:
    """How to use the adapted network: what each command is for, and the command, for results in `./runs`."""
    folder = f"runs/{inputs.folder(config.after).name}"  # not where it lies: pages are sent around, and compared
    network = f"by the network after adaptation, stage {config.after.stage!r}"
    predict = (
        f"Images, videos or folders of them, {network}:",
        f"segda predict {folder} image.jpg -o out",
    )
    python = f'import segda\n\npredictor = segda.load("{folder}")\nprediction = predictor("image.jpg")'
    return [
        *([predict] if config.task.name == "segmentation" else []),
        (f"In Python, {network}:", python),
        ("As a file for ONNX Runtime and others:", f"segda export-network {folder} -o network.onnx"),
    ]


def pictures_of(
    config: Config, inputs: Inputs, session: Session, stages: Mapping[Path, Manifest], space: LabelSpace
) -> dict[str, Any]:
    """Predictions, translations and features of some samples of both domains, by field of `page.ReportContent`."""
    source_data = open_stage_data(config, "source", inputs, with_labels=True)
    target_data = open_stage_data(config, "data", inputs, with_labels=True)
    source = Samples("source", source_data, [], config.source.resize).spaced(config.pictures)
    target = Samples("target", target_data, [], config.data.resize).spaced(config.pictures)
    predictors = {
        title: replace(
            load_predictor(inputs.folder(reference), inputs.manifest(reference), session.device),
            resize=config.data.resize,
        )
        for title, reference in (("before adaptation", config.before), ("after adaptation", config.after))
    }
    translator = None
    if config.translator is not None:
        folder, manifest = inputs.folder(config.translator), inputs.manifest(config.translator)
        translator = load_translator(folder, manifest, session.device, tiling_of_export(stages, folder))
    signals.raise_if_stopped(UNFINISHED)
    drawable, maps = samples.are_pictures(source, target), samples.label_maps(target)
    content: dict[str, Any] = {}
    if drawable and maps:
        content["scenes"] = samples.scenes(target, *predictors.values())
    elif drawable:
        content["predictions"] = samples.class_tiles(target.spaced(config.thumbnails), predictors)
    signals.raise_if_stopped(UNFINISHED)
    if drawable and translator is not None:
        some = [part if maps else part.spaced(min(config.thumbnails, 10)) for part in (source, target)]
        content["translations"] = samples.translation_rows(some, translator)
    if config.embedding:
        panels = []
        for title, predictor in predictors.items():
            signals.raise_if_stopped(UNFINISHED)
            panels.append(samples.panel(title, predictor, (source, target), config.embedding, config.seed))
        signals.raise_if_stopped(UNFINISHED)
        what = "labelled places of images" if maps else "images"
        content["illustrations"] = [Illustration(
            "embedding", "Features", f"What the encoder makes of {what} of both domains, in a plane: the principal "
            "components, and t-SNE. Classes of the target are used for colour alone.",
            embedding.figure(panels, space, config.seed),
        )]  # fmt: skip
    return content


def tiling_of_export(stages: Mapping[Path, Manifest], translator: Path) -> Tiling | None:
    """How the export of a translator cut large images; `None` for whole images or without an export."""
    for manifest in stages.values():
        origin = manifest.inputs.get("translator", {})
        if manifest.kind == "export" and origin.get("folder") == translator.name and manifest.config.get("tile"):
            height, width = manifest.config["tile"]
            return Tiling((height, width), manifest.config["overlap"])
    return None
