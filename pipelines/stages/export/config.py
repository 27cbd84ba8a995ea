"""The config of an exporting stage, and its check."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from pipelines.definition.schema import DataConfig, MethodConfig, Reference, Size, StageConfig
from segda.errors import ConfigError
from segda.export.format import Format

DIVISOR = 32
"""Images are padded to multiples of this: the largest stride of any encoder."""


Share = Annotated[float, Field(ge=0, le=1)]


class Config(StageConfig):
    """An exporting stage: by a trained `translator`, or by a `method` that needs no training.

    `runtime.workers` is the number of threads that decode and encode, in each process.

    Attributes:
        data: the labelled set to translate; its `resize` is the size for translation and of the exported files, but
            for `layout: source`, where images have the size of their label.
        translator: a `translate` or `align` stage that published `encoder` and `decoder`.
        method: one with `transfer`, such as `fda`.
        target: the unlabelled set that `method` takes its reference images from: one for each image, drawn at random.
        layout: `segda`; `source`, the source's own paths and label files byte for byte; `huggingface`, an image folder
            with `metadata.jsonl`; `parquet`; `webdataset`, tar archives.
        format: of the images; PNG by default, or by the file name's suffix with `layout: source`.
        quality: of JPEG.
        hard_links: whether `layout: source` hard-links the source's label files where the disk allows it.
        shard: images in each file of `parquet` and `webdataset`.
        tile: `(height, width)`; larger images go through the translator in tiles of this size. `None`: whole.
        overlap: of neighbouring tiles, in pixels.
        judge: a stage with encoder and head that measures label agreement, written to `agreement.json`; best one that
            was trained on the source. A `transfer` by class takes the classes of reference images from it.
        minimum_agreement: below this, an image counts as disagreeing; `relative` for the median of all images less 1.5
            times the distance between their quartiles.
        on_disagreement: what is done with such an image: `keep` it, `drop` it, or `fail`, which refuses all.
        lost_pixels: labels of pixels that the judge recognises before translation and not after it: `keep` them, or
            `ignore` them in the exported label.
    """

    data: DataConfig
    translator: Reference | None = None
    method: MethodConfig | None = None
    target: DataConfig | None = None
    layout: Literal["segda", "source", "huggingface", "parquet", "webdataset"] = "segda"
    format: Format | None = None
    quality: int = Field(default=95, ge=1, le=100)
    hard_links: bool = True
    shard: PositiveInt = 64
    tile: Size | None = None
    overlap: PositiveInt = 64
    judge: Reference | None = None
    minimum_agreement: Share | Literal["relative"] | None = None
    on_disagreement: Literal["keep", "drop", "fail"] = "keep"
    lost_pixels: Literal["keep", "ignore"] = "keep"


def check(config: Config) -> None:
    """Refuse a config that does not say how to translate, or whose options conflict.

    Raises:
        ConfigError: neither a translator nor a method, both of them, or a method without `transfer` or `target`, or by
            class without judge or label maps; tiles that do not fit; a minimum agreement or lost pixels without a
            judge, or `on_disagreement` without a minimum.
    """
    if (config.translator is None) == (config.method is None):
        problem = "neither is given" if config.method is None else "both are given"
        raise ConfigError(
            f"translator, method: {problem}; set `translator` (a trained stage), or `method` (fda, say) and `target`"
        )
    if config.method is not None and config.method.transfer is None:
        raise ConfigError(
            f"method: {config.method.title!r} has terms to train, no `transfer`; train it in a stage of its own and "
            "name that as `translator`, or use a method such as fda"
        )
    if config.method is not None and config.target is None:
        raise ConfigError("target: missing; a method without training takes its reference images from there")
    _check_by_class(config)
    if config.translator is not None and config.target is not None:
        raise ConfigError("target: not used with a translator, which has learnt the target's look; remove it")
    if config.tile is not None:
        if config.translator is None:
            raise ConfigError("tile: a method without training takes whole images; remove it, or use a translator")
        from segda.export import windows

        windows.check(config.tile, config.overlap, DIVISOR)
    if config.on_disagreement != "keep" and config.minimum_agreement is None:
        raise ConfigError(f"on_disagreement: {config.on_disagreement}: needs a limit; give `minimum_agreement`")
    if config.minimum_agreement is not None and config.judge is None:
        raise ConfigError("minimum_agreement: no judge measures agreement; give `judge`, a stage with encoder and head")
    if config.lost_pixels == "ignore":
        _check_lost_pixels(config)
    if config.layout == "parquet":
        from segda.export import shards

        shards.require_pyarrow()


def _check_by_class(config: Config) -> None:
    """Refuse a transfer by class where there are no classes.

    Raises:
        ConfigError: names the key.
    """
    transfer = config.method.transfer if config.method is not None else None
    if transfer is None or not transfer.options.get("by_class"):
        return
    if config.task.name == "classification":
        raise ConfigError("method.transfer.by_class: labels are of whole images; leave it out")
    if config.judge is None:
        raise ConfigError(
            "judge: missing; with method.transfer.by_class it predicts the classes of the target's images, so give a "
            "stage with encoder and head that was trained on the source"
        )


def _check_lost_pixels(config: Config) -> None:
    """Refuse to ignore pixels where nobody says which, or where labels have none or are not the export's to change.

    Raises:
        ConfigError: names the key.
    """
    if config.judge is None:
        raise ConfigError(
            "lost_pixels: ignore: no judge recognises pixels; give `judge`, a stage with encoder and head"
        )
    if config.layout == "source":
        raise ConfigError(
            "lost_pixels: ignore: with layout source, labels are the source's own files; use layout: segda"
        )
    if config.task.name == "classification":
        raise ConfigError("lost_pixels: ignore: labels are of whole images; use `on_disagreement: drop`")
