"""Write an exported set, each process its share, and put an end to it: `dataset.json`, once all files are there."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.definition.schema import Inputs
from pipelines.stages.export import translation, writing
from pipelines.stages.export.config import Config, check
from pipelines.stages.export.translation import Tiling, Translate
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
from segda.export import agreement, index, layout, shards
from segda.export.layout import Layout
from segda.export.picture import Picture
from segda.terminal.progress import ProgressLine


def export(config: Config, inputs: Inputs, folder: Path, session: Session) -> None:
    """Do this process's share; then the first process puts an end to it."""
    dataset = open_stage_data(config, "data", inputs, with_labels=True, session=session)
    resize, to_label = config.data.resize, config.layout == "source"
    first = writing.read(dataset, resize, to_label, 0)
    form = layout_of(config, dataset, maps=first.label.ndim > 0)
    # Blocks lie where they lie whatever is written already, so that an image always has the same company and a
    # restart the same bytes.
    length = translation.TOGETHER if first.image.shape[0] * first.image.shape[1] <= translation.SMALL else 1
    records = agreement.Records(folder, session.rank)
    work = Work(
        dataset=dataset,
        form=form,
        place=session.on_main(lambda: place_of(form, folder)),
        read=partial(writing.read, dataset, resize, to_label),
        translate=translation_of(config, inputs, session),
        judge=writing.load_agreement_judge(config.judge, inputs, session.device) if config.judge else None,
        records=records,
        minimum=config.minimum_agreement if config.on_disagreement == "drop" else None,
        group=form.group or length,
        length=length,
    )
    # Keys and names come from the source's reader, or its folders; what is written by them stays below the export.
    index.check_names(dataset.root, (sample.key for sample in dataset.samples))
    for number, places in enumerate(work.groups):
        index.check_names(dataset.root, form.names(number, [dataset.samples[place] for place in places]))
    # No process may change what another one still looks at: whether the export is finished, and who was judged.
    session.barrier()
    share = range(session.rank, len(work.groups), session.world)
    total = sum(len(work.groups[number]) for number in share)
    with (
        Workers(config.runtime.loading(session.world)) as workers,
        ProgressLine(folder.name, 0, total, "images", show=session.is_main) as line,
    ):
        work.run(share, workers, line.update)
    session.barrier()
    session.on_main(lambda: publish(config, inputs, work, folder))


def publish(config: Config, inputs: Inputs, work: Work, folder: Path) -> None:
    """Write `dataset.json`, once all that belongs to the export is there and nothing else.

    Raises:
        ArtefactError: a file is missing or too many, or images have too little agreement.
    """
    dataset, form = work.dataset, work.form
    space = label_space.load(config.task.options["labels"])
    work.records.counts = agreement.read(folder)
    dropped: list[str] = []
    if config.judge is not None:
        dropped = agreed(config, inputs, work, folder)
    samples = [sample for sample in dataset.samples if sample.key not in set(dropped)]
    classes: dict[str, int] = {}
    if writing.read(dataset, None, False, 0).label.ndim == 0:
        classes = {s.key: int(dataset.decode_label(s.label)) for s in samples if s.label is not None}
    names = [name for number in range(len(work.groups)) for name in form.names(number, work.kept(number))]
    names += form.complete(work.place, samples, classes)
    index.require(work.place, names, index.FOLDERS if form.folder is None else (".",))
    if form.folder is not None:
        os.replace(work.place, folder / form.folder)
        names = [f"{form.folder}/{name}" for name in names]
    content: dict[str, Any] = {
        "layout": config.layout,
        "format": None if config.layout == "source" else config.format or "png",
        "space": space.name,
        "classes": list(space.classes),
        "ignore_index": space.ignore_index,
        "origin": dataset.name,
        "source": {"dataset": dataset.name, "split": config.data.split, "fingerprint": fingerprint(dataset)},
        "generator": generator(config, inputs),
        "config": config.model_dump(mode="json", by_alias=True, exclude={"runtime"}),
        "keys": [sample.key for sample in samples],
        "dropped": sorted(dropped),
    }
    if unreadable_files.skips(config.data):
        content["skipped"] = unreadable_files.described(inputs.skipped("data"))
    if classes:
        content["labels"] = [classes[sample.key] for sample in samples]
    index.publish(folder, content, names + (["agreement.json"] if config.judge else []))


def agreed(config: Config, inputs: Inputs, work: Work, folder: Path) -> list[str]:
    """Write `agreement.json`; the keys of the images that are left out.

    Raises:
        ArtefactError: images are not judged; or have too little agreement and that is refused, or is true of all.
    """
    assert config.judge is not None
    counts, keys = work.records.counts, [sample.key for sample in work.dataset.samples]
    unjudged = [key for key in keys if key not in counts]
    if unjudged:
        raise ArtefactError(f"{folder}: {len(unjudged)} images were not judged, {unjudged[0]} first; run again")
    low = agreement.disagreeing(counts, config.minimum_agreement)
    dropped = low if config.on_disagreement == "drop" else []
    manifest = inputs.manifest(config.judge)
    judge = {"stage": manifest.stage, "kind": manifest.kind, "key": manifest.key}
    report = agreement.report(
        counts, keys, work.dataset.space.classes, minimum=config.minimum_agreement, dropped=dropped, judge=judge
    )
    write_json(folder / "agreement.json", report)
    if low and (config.on_disagreement == "fail" or len(dropped) == len(keys)):
        raise ArtefactError(
            f"{folder / 'agreement.json'}: {len(low)} of {len(keys)} images have an agreement below minimum_agreement "
            f"{config.minimum_agreement}, {low[0]} the least ({counts[low[0]].mean()[0]:.3f}); look at its `worst`, "
            "then train the translator better, lower minimum_agreement, or set on_disagreement to keep or drop"
        )
    return dropped


def generator(config: Config, inputs: Inputs) -> dict[str, Any]:
    """What gave the images their look: the stage with its networks' checksums, or the method."""
    if config.translator is None:
        assert config.method is not None
        return {"method": config.method.title, "published": config.method.source}
    manifest = inputs.manifest(config.translator)
    networks = {name: described["sha256"] for name, described in manifest.outputs.items()}
    return {"stage": manifest.stage, "kind": manifest.kind, "key": manifest.key, "networks": networks}


def layout_of(config: Config, dataset: Dataset, maps: bool) -> Layout:
    """The layout that a config asks for.

    Raises:
        ConfigError: it cannot hold the data set.
    """
    picture = Picture(config.format or "png", config.quality)
    if config.layout == "source":
        layout.check_source(dataset, config.format)
        beside = config.data.options.get("split_file")
        return layout.Source(dataset.root, config.quality, config.hard_links, () if beside is None else (str(beside),))
    if config.layout == "segda":
        return layout.Segda(picture, maps)
    if config.layout == "huggingface":
        return layout.ImageFolder(picture, maps)
    if config.layout == "webdataset":
        shards.check_keys(sample.key for sample in dataset.samples)
    return shards.Shards(picture, config.shard, -(-len(dataset) // config.shard), config.layout == "parquet")


def place_of(form: Layout, folder: Path) -> Path:
    """Where an export's files lie, or are written until all are there."""
    if form.folder is None:
        return folder
    return folder / form.folder if (folder / form.folder).is_dir() else folder / layout.UNFINISHED


def translation_of(config: Config, inputs: Inputs, session: Session) -> Translate:
    """How this export translates: by the networks of its translator, or by its method's transfer."""
    if config.translator is None:
        check(config)
        return translation.by_transfer(config, inputs, session)
    tiling = None if config.tile is None else Tiling(config.tile, config.overlap)
    return translation.by_networks(inputs, config.translator, tiling, session.device)
