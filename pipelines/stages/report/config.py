"""The config of a reporting stage."""

from pydantic import NonNegativeInt, PositiveInt

from pipelines.definition.schema import DataConfig, Reference, StageConfig


class Config(StageConfig):
    """A reporting stage.

    Attributes:
        evaluation: the `evaluate` stage with the rows of the table, or the `average` stage over several.
        source: images of the source, for the pictures.
        data: labelled images of the target, for the pictures.
        translator: a stage that published `encoder` and `decoder`, for translated images; `None` for none.
        before: the networks before adaptation.
        after: the networks after it.
        pictures: number of images of each domain, one from each of as many equal parts of the sets.
        thumbnails: number of images where the label is one class for the whole image.
        embedding: number of feature vectors of each domain in the figure of features; 0 for no figure.
    """

    evaluation: Reference
    source: DataConfig
    data: DataConfig
    translator: Reference | None = None
    before: Reference
    after: Reference
    pictures: PositiveInt = 4
    thumbnails: PositiveInt = 24
    embedding: NonNegativeInt = 200
