"""What a report shows: the finished stages behind a table of scores, and their pictures and features."""

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.definition.schema import Inputs
from pipelines.scoring import features
from pipelines.stages.report import label_agreement, samples
from pipelines.stages.report.config import Config
from pipelines.stages.report.samples import Predictor, ShownSamples, Translator
from pipelines.training import unreadable_files
from pipelines.training.open_data import open_stage_data
from segda import label_space
from segda.artefacts import manifest as manifests
from segda.artefacts.manifest import Manifest, read_json
from segda.engine.session import Session
from segda.label_space import LabelSpace
from segda.report import charts, embedding, page, thumbnails
from segda.report.page import DataState, Illustration, LeftOut
from segda.report.pictures import PictureRow
from segda.report.table import Result, headline, is_oracle


def write(config: Config, inputs: Inputs, folder: Path, session: Session) -> None:
    """Write the page of a stage of kind report."""
    told = (config.evaluation, config.before, config.after, config.translator)
    chain = ancestors(*(inputs.folder(reference) for reference in told if reference is not None))
    names = stage_names(chain)
    provenance = inputs.manifest(config.evaluation).provenance
    evaluations = read_json(inputs.folder(config.evaluation) / "evaluation.json")
    space = label_space.load(config.task.options["labels"])
    shown = content_of(config, inputs, session, space)
    content = page.ReportContent(
        title=str(provenance.get("run", folder.name)),
        space=space,
        results=[Result(name, [evaluation]) for name, evaluation in evaluations.items()],
        seeds=[config.seed],
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        command=str(provenance.get("command", "")),
        stages=[
            page.StageState(names[where], m.kind, "done", m.provenance.get("seconds"), where.name, [
                names[before] for before in origins(where, m)
            ])
            for where, m in chain
        ],
        logs={names[where]: where / "log.jsonl" for where, _ in chain if (where / "log.jsonl").is_file()},
        pictures=shown.pictures,
        confused=compared(config, inputs),
        agreements=label_agreement.of_chain(chain, config.pictures, session.device),
        datasets=datasets(chain),
        left_out=left_out(chain, names),
        illustrations=shown.illustrations,
        notes=notes(evaluations),
        versions=software(provenance),
    )  # fmt: skip
    page.write(folder, content)
    session.print(f"report: {folder / 'report.html'}")


def ancestors(*folders: Path) -> list[tuple[Path, Manifest]]:
    """Finished stages and all that they were made from, each after what it was made from."""
    found: dict[Path, Manifest] = {}

    def visit(place: Path) -> None:
        if place in found:
            return
        manifest = manifests.load(place)
        for origin in origins(place, manifest):
            visit(origin)
        found[place] = manifest

    for folder in folders:
        visit(folder)
    return list(found.items())


def origins(folder: Path, manifest: Manifest) -> list[Path]:
    """The folders of the stages that a stage was made from, each once."""
    named = (Path(origin["folder"]).name for origin in manifest.inputs.values() if origin.get("folder"))
    return [folder.parent / name for name in dict.fromkeys(named)]


def stage_names(chain: list[tuple[Path, Manifest]]) -> dict[Path, str]:
    """A name for each folder; stages of other runs may be called alike, and are then told apart by their folders."""
    count = Counter(manifest.stage for _, manifest in chain)
    return {
        folder: manifest.stage if count[manifest.stage] == 1 else f"{manifest.stage} ({folder.name})"
        for folder, manifest in chain
    }


def datasets(chain: list[tuple[Path, Manifest]]) -> list[DataState]:
    """The data sets that the stages opened, with the fingerprints that their keys hold."""
    users: dict[tuple[str, str, str], list[str]] = {}
    for _, manifest in chain:
        for origin in manifest.inputs.values():
            if origin.get("dataset"):
                key = (str(origin["dataset"]), str(origin.get("split", "")), str(origin["fingerprint"]))
                users.setdefault(key, []).append(manifest.stage)
    return [DataState(*key, list(dict.fromkeys(stages))) for key, stages in users.items()]


def left_out(chain: list[tuple[Path, Manifest]], names: Mapping[Path, str]) -> list[LeftOut]:
    """The files that the stages left out, since they could not be read."""
    return [
        LeftOut(names[where], field, [(each.file, each.reason) for each in files])
        for where, manifest in chain
        for field, files in unreadable_files.of_manifest(manifest).items()
    ]


def compared(config: Config, inputs: Inputs) -> list[str]:
    """The rows of the evaluation that score the networks before and after adaptation."""
    rows = inputs.manifest(config.evaluation).inputs
    shown = [inputs.folder(reference).name for reference in (config.before, config.after)]
    places = {name.removeprefix("rows."): Path(origin.get("folder") or "").name for name, origin in rows.items()}
    return [name for name, place in places.items() if place in shown]


def software(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Where and by what the scores were taken, as far as the manifest says."""
    names = ("git", "cpu", "threads", "device", "mixed_precision", "world_size", "python")
    machine = {name: provenance.get(name) for name in names}
    told = {name.replace("_", " "): str(value) for name, value in machine.items() if value is not None}
    return {**told, **provenance.get("packages", {})}


def notes(evaluations: dict[str, Any]) -> list[str]:
    """What part of the way from the first row to the oracle the best adapted row went; no oracle, no sentence."""
    scores = {name: headline(evaluation)[1] for name, evaluation in evaluations.items()}
    known = {name: score for name, score in scores.items() if score is not None}
    oracles = {name for name, evaluation in evaluations.items() if is_oracle(evaluation)}
    first = next(iter(scores))
    adapted = {name: score for name, score in known.items() if name not in oracles and name != first}
    if not oracles or not adapted or len(known) < len(scores):
        return []
    measure = headline(evaluations[first])[0]
    best = max(adapted, key=lambda name: adapted[name])
    oracle = max(oracles, key=lambda name: known[name])
    gap = known[oracle] - known[first]
    closed = f"{(known[best] - known[first]) / gap:.0%} of the gap to {oracle!r}" if gap > 0 else "there is no gap"
    return [f"Best adapted row: {best!r}, {100 * (known[best] - known[first]):+.1f} points of {measure}; {closed}."]


class Content(NamedTuple):
    """The pictures of a report: rows of large ones, and illustrations made of many."""

    pictures: list[PictureRow]
    illustrations: list[Illustration]


def content_of(config: Config, inputs: Inputs, session: Session, space: LabelSpace) -> Content:
    """Predictions, translations and features of some samples of either domain, as far as the stages have them."""
    source_data = open_stage_data(config, "source", inputs, with_labels=True)
    target_data = open_stage_data(config, "data", inputs, with_labels=True)
    source = ShownSamples(
        "source", source_data, features.spaced_samples(source_data, config.pictures), config.source.resize
    )
    target = ShownSamples(
        "target", target_data, features.spaced_samples(target_data, config.pictures), config.data.resize
    )
    predictors = {
        title: Predictor(inputs.folder(reference), inputs.manifest(reference), session.device)
        for title, reference in (("before adaptation", config.before), ("after adaptation", config.after))
    }
    translator = None
    if config.translator is not None:
        translator = Translator(inputs.folder(config.translator), inputs.manifest(config.translator), session.device)
    pictures: list[PictureRow] = []
    illustrations: list[Illustration] = []
    drawable, maps = samples.are_pictures(source, target), samples.label_maps(target)
    if drawable and maps:
        pictures = samples.map_rows(source, target, translator, predictors)
    elif drawable:
        shown = samples.class_tiles(target.more(config.thumbnails), predictors)
        illustrations.append(Illustration(
            "predictions", "Predictions", "Images of the target: their class, and what was predicted before and after "
            "adaptation, green where right.", thumbnails.grid(shown),
        ))  # fmt: skip
    if drawable and translator is not None:
        some = [part if maps else part.more(min(config.thumbnails, 10)) for part in (source, target)]
        illustrations.append(Illustration(
            "samples", "Translation and reconstruction", "What encoder and decoder make of images of either domain.",
            thumbnails.rows(samples.translation_rows(some, translator)),
        ))  # fmt: skip
    if config.embedding:
        panels = [
            samples.panel(title, predictor, source, target, config.embedding, config.seed)
            for title, predictor in predictors.items()
        ]
        what = "labelled places of images" if maps else "images"
        illustrations.append(Illustration(
            "embedding", "Features", f"What the encoder makes of {what} of both domains, in a plane: the principal "
            "components, and t-SNE. Classes of the target are used for colour alone.",
            charts.to_png(embedding.figure(panels, space, config.seed)),
        ))  # fmt: skip
    return Content(pictures, illustrations)
