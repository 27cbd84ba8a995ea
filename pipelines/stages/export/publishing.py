"""Write an exported set, each process its share; last, one process writes `dataset.json`."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.definition.labels import DESCRIPTION
from pipelines.definition.schema import Inputs
from pipelines.networks import load_predictor
from pipelines.stages.export import translation, writing
from pipelines.stages.export.config import Config
from pipelines.stages.export.translation import Translate
from pipelines.stages.export.writing import Work
from pipelines.training import unreadable_files
from pipelines.training.open_data import open_stage_data
from segda import label_space
from segda.artefacts.manifest import write_json
from segda.data.dataset import Dataset
from segda.data.index import fingerprint
from segda.data.prefetch import Workers
from segda.engine.session import Session
from segda.errors import ArtefactError
from segda.evaluation.predict import Predictor
from segda.export import agreement, index, shards
from segda.export import layout as layouts
from segda.export.layout import Layout
from segda.export.picture import Picture
from segda.terminal.progress import ProgressLine


def export(config: Config, inputs: Inputs, folder: Path, session: Session) -> None:
    """Write this process's share; then the first process publishes the whole."""
    dataset = open_stage_data(config, "data", inputs, with_labels=True, session=session)
    resize, to_label = config.data.resize, config.layout == "source"
    first = writing.read(dataset, resize, to_label, 0)
    layout = layout_of(config, dataset, maps=first.label.ndim > 0)
    # Blocks do not depend on what is written already: an image is always translated with the same others, so a restart
    # gives the same bytes.
    is_small = first.image.shape[0] * first.image.shape[1] <= translation.SMALL
    block_size = translation.TOGETHER if is_small else 1
    records = agreement.Records(folder, session.rank)
    judge = None
    if config.judge is not None:
        judge = load_predictor(inputs.folder(config.judge), inputs.manifest(config.judge), session.device)
    work = Work(
        dataset=dataset,
        layout=layout,
        folder=session.on_main(lambda: files_folder(layout, folder)),
        read=partial(writing.read, dataset, resize, to_label),
        translate=translation_of(config, inputs, session, judge),
        judge=judge,
        records=records,
        minimum=None,
        ignore_lost=config.lost_pixels == "ignore",
        group_size=layout.group or block_size,
        block_size=block_size,
    )
    # Keys and names come from the source's reader, or its folders; files must stay below the export.
    index.check_names(dataset.root, (sample.key for sample in dataset.samples))
    for number, indices in enumerate(work.groups):
        index.check_names(dataset.root, layout.names(number, [dataset.samples[i] for i in indices]))
    # All processes have read whether the export is finished and which agreement is measured, before any writes.
    session.barrier()
    share = range(session.rank, len(work.groups), session.world)
    total = sum(len(work.groups[number]) for number in share)
    with Workers(config.runtime.loading(session.world)) as workers:
        if config.on_disagreement == "drop":
            if config.minimum_agreement == "relative":
                # Which images are outliers depends on all of them: they are judged first, and then translated again.
                with ProgressLine(folder.name, 0, total, "images judged", show=session.is_main, folder=folder) as line:
                    work.judge_all(share, workers, line.update)
                session.barrier()
            work = replace(work, minimum=session.on_main(lambda: limit(config, work.dataset, folder)))
        with ProgressLine(folder.name, 0, total, "images", show=session.is_main, folder=folder) as line:
            work.run(share, workers, line.update)
    session.barrier()
    session.on_main(lambda: publish(config, inputs, work, folder))


def limit(config: Config, dataset: Dataset, folder: Path) -> float | None:
    """The least agreement of an image that does not count as disagreeing; `None` for none.

    Raises:
        ArtefactError: it depends on all images, and one is not judged.
    """
    if config.minimum_agreement == "relative":
        return agreement.outlier_limit(judged(dataset, folder).values())
    return config.minimum_agreement


def judged(dataset: Dataset, folder: Path) -> dict[str, agreement.Counts]:
    """The recorded agreement of all images.

    Raises:
        ArtefactError: there is none of an image.
    """
    counts = agreement.read(folder)
    missing = [sample.key for sample in dataset.samples if sample.key not in counts]
    if missing:
        raise ArtefactError(f"{folder}: {len(missing)} images were not judged, {missing[0]} first; run again")
    return {sample.key: counts[sample.key] for sample in dataset.samples}


def publish(config: Config, inputs: Inputs, work: Work, folder: Path) -> None:
    """Write `dataset.json`, once the files of the export are complete and there are no others.

    Raises:
        ArtefactError: a file is missing or too many, or images have too little agreement.
    """
    dataset, layout = work.dataset, work.layout
    space = label_space.load(config.task.options["labels"])
    dropped: list[str] = []
    if config.judge is not None:
        dropped = report_agreement(config, inputs, work, folder)
    samples = [sample for sample in dataset.samples if sample.key not in set(dropped)]
    classes: dict[str, int] = {}
    if writing.read(dataset, None, False, 0).label.ndim == 0:
        classes = {s.key: int(dataset.decode_label(s.label)) for s in samples if s.label is not None}
    names = [name for number in range(len(work.groups)) for name in layout.names(number, work.written(number))]
    names += layout.complete(work.folder, samples, classes)
    index.require(work.folder, names, index.FOLDERS if layout.folder is None else (".",))
    if layout.folder is not None:
        os.replace(work.folder, folder / layout.folder)
        names = [f"{layout.folder}/{name}" for name in names]
    content: dict[str, Any] = {
        "layout": config.layout,
        "format": None if config.layout == "source" else config.format or "png",
        "space": space.name,
        "classes": list(space.classes),
        "ignore_index": space.ignore_index,
        "origin": dataset.name,
        "source": {"dataset": dataset.name, "split": config.data.split, "fingerprint": fingerprint(dataset)},
        "generator": generator(config, inputs),
        "config": _undrawn(config.model_dump(mode="json", by_alias=True, exclude={"runtime"})),
        "keys": [sample.key for sample in samples],
        "dropped": sorted(dropped),
    }
    if unreadable_files.skips(config.data):
        content["skipped"] = unreadable_files.as_json(inputs.skipped("data"))
    if classes:
        content["labels"] = [classes[sample.key] for sample in samples]
    names += ["agreement.json"] if config.judge else []
    with ProgressLine(folder.name, 0, len(names), "checksums", folder=folder) as line:
        index.publish(folder, content, names, line.update)


def _undrawn(node: Any) -> Any:
    """A config without what only pictures and tables depend on, since the export's key does not."""
    if isinstance(node, dict):
        return {name: _undrawn(value) for name, value in node.items() if name not in DESCRIPTION}
    return [_undrawn(value) for value in node] if isinstance(node, list) else node


def report_agreement(config: Config, inputs: Inputs, work: Work, folder: Path) -> list[str]:
    """Write `agreement.json`; the keys of the images that are dropped.

    Raises:
        ArtefactError: agreement is not measured for all images; or it is too low and that is refused, or too low for
            all of them.
    """
    assert config.judge is not None
    work.records.counts = counts = judged(work.dataset, folder)
    keys, minimum = list(counts), limit(config, work.dataset, folder)
    low = agreement.disagreeing(counts, minimum)
    dropped = low if config.on_disagreement == "drop" else []
    manifest = inputs.manifest(config.judge)
    judge = {"stage": manifest.stage, "kind": manifest.kind, "key": manifest.key}
    report = agreement.report(
        counts, keys, work.dataset.space.classes, minimum=minimum, dropped=dropped, judge=judge,
        ignored=work.ignore_lost,
    )  # fmt: skip
    write_json(folder / "agreement.json", report)
    if low and (config.on_disagreement == "fail" or len(dropped) == len(keys)):
        raise ArtefactError(
            f"{folder / 'agreement.json'}: {len(low)} of {len(keys)} images have an agreement below minimum_agreement "
            f"{minimum:g}, {low[0]} the least ({counts[low[0]].mean()[0]:.3f}); see `worst` in it, then "
            "train the translator better, lower minimum_agreement, or set on_disagreement to keep or drop"
        )
    return dropped


def generator(config: Config, inputs: Inputs) -> dict[str, Any]:
    """What translated the images: the stage with its networks' checksums, or the method."""
    if config.translator is None:
        assert config.method is not None
        return {"method": config.method.title, "published": config.method.source}
    manifest = inputs.manifest(config.translator)
    networks = {name: described["sha256"] for name, described in manifest.outputs.items()}
    return {"stage": manifest.stage, "kind": manifest.kind, "key": manifest.key, "networks": networks}


def layout_of(config: Config, dataset: Dataset, maps: bool) -> Layout:
    """The layout that a config names.

    Raises:
        ConfigError: it cannot hold the data set.
    """
    picture = Picture(config.format or "png", config.quality)
    if config.layout == "source":
        layouts.check_source(dataset, config.format)
        split_file = config.data.options.get("split_file")
        copied = () if split_file is None else (str(split_file),)
        return layouts.Source(dataset.root, config.quality, config.hard_links, copied)
    if config.layout == "segda":
        return layouts.Segda(picture, maps)
    if config.layout == "huggingface":
        return layouts.ImageFolder(picture, maps)
    if config.layout == "webdataset":
        shards.check_keys(sample.key for sample in dataset.samples)
    return shards.Shards(picture, config.shard, -(-len(dataset) // config.shard), config.layout == "parquet")


def files_folder(layout: Layout, folder: Path) -> Path:
    """The folder of an export's files; of another name until they are complete."""
    if layout.folder is None:
        return folder
    return folder / layout.folder if (folder / layout.folder).is_dir() else folder / layouts.UNFINISHED


def translation_of(config: Config, inputs: Inputs, session: Session, judge: Predictor | None) -> Translate:
    """How an export translates: by the networks of its translator, or by its method's transfer."""
    if config.translator is None:
        return translation.by_transfer(config, inputs, session, judge)
    folder, manifest = inputs.folder(config.translator), inputs.manifest(config.translator)
    translator = translation.load_translator(folder, manifest, session.device, translation.tiling_of(config))
    return lambda images, labels, indices: translator.translate(images)
