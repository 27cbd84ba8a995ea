import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.objectives.terms.latent_divergence import LatentDivergence


def passed() -> Any:
    posteriors = {
        "source": (torch.full((2, 3, 1, 1), 2.0), torch.zeros(2, 3, 1, 1)),
        "target": (torch.zeros(2, 3, 1, 1), torch.full((2, 3, 1, 1), math.log(4.0))),
    }
    return SimpleNamespace(posterior=posteriors.__getitem__)


def test_values_by_hand_summed_over_the_listed_domains() -> None:
    source, target = 3 * 2.0, 3 * (3 - math.log(4)) / 2
    assert LatentDivergence(1.0).generator(passed()).item() == pytest.approx(source + target)
    assert LatentDivergence(1.0, ("source",)).generator(passed()).item() == pytest.approx(source)
    assert LatentDivergence(1.0, ("target",)).generator(passed()).item() == pytest.approx(target)


def test_no_domain_is_named() -> None:
    with pytest.raises(ConfigError, match=r"latent_divergence\.domains: empty"):
        LatentDivergence(1.0, ())
