"""A config node that refuses what it does not know."""

from pydantic import BaseModel, ConfigDict


class StrictConfig(BaseModel):
    """A config node: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
