"""What `sampling` of a training stage takes."""

from pydantic import Field, PositiveFloat, PositiveInt

from pipelines.definition.strict import StrictConfig


class RareClassesConfig(StrictConfig):
    """Draw a class, the rarer the more likely, then an image and a crop that show it; see `segda.data.order`.

    Attributes:
        temperature: of the draw of a class: low ones draw the rarest almost always, high ones all alike.
        image_share: the share of its pixels that a class must exceed in an image that is drawn for it.
        crop_share: the share of its pixels that the class must exceed in the crop, which is drawn again otherwise.
    """

    temperature: PositiveFloat = 0.01
    image_share: float = Field(default=0.0015, ge=0, lt=1)
    crop_share: float = Field(default=0.0057, ge=0, lt=1)


class SamplingConfig(StrictConfig):
    """Which source samples are drawn, and which crops of them; by default each once an epoch, and any crop.

    Attributes:
        weights: of several source data sets, how often each is drawn; `None` draws from all their samples alike.
        rare_classes: draw images and crops for rare classes.
        largest_class: the largest share of a crop's labelled pixels that one class may take; else it is drawn again.
        tries: how many crops are drawn at most; of several that will not do the best is taken.
    """

    weights: list[PositiveFloat] | None = None
    rare_classes: RareClassesConfig | None = None
    largest_class: float | None = Field(default=None, gt=0, lt=1)
    tries: PositiveInt = 10
