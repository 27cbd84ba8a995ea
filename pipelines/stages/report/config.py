"""The config of a reporting stage."""

from pydantic import NonNegativeInt, PositiveInt

from pipelines.definition.schema import DataConfig, Reference, StageConfig


class Config(StageConfig):
    """A reporting stage.

    Attributes:
        evaluation: the `evaluate` stage whose rows are shown.
        source: images of the source, for the pictures.
        data: labelled images of the target, for the pictures.
        translator: a stage that published `encoder` and `decoder`; none, and no translated images are shown.
        before: the networks before adaptation.
        after: the networks after it.
        pictures: how many images of each domain are shown, one from each of as many equal parts of the sets.
        thumbnails: how many are shown in place of that where the label is one class for the whole image.
        embedding: how many feature vectors of each domain are shown in a plane; 0 for no such figure.
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
