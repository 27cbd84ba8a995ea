from typing import Any

import pytest
import torch

from segda.errors import ConfigError
from segda.losses.class_confusion import class_confusion
from segda.objectives.objective import Objective, build


def test_every_position_is_a_sample_and_all_processes_count(stand_in: Any, task: Any, batch_of: Any) -> None:
    terms = build({"minimum_class_confusion": {"weight": 1.0}})
    p = Objective(terms, stand_in(), task, seed=0).forward(batch_of(2), 0.0)
    logits = p.logits("target")
    each = torch.stack([image[:, i, j] for image in logits for i in range(8) for j in range(10)])
    term = terms["minimum_class_confusion"]
    torch.testing.assert_close(term.generator(p), class_confusion(each, 2.5))
    p.gather_samples = lambda samples: torch.cat([samples, samples + torch.eye(4)[0]])
    torch.testing.assert_close(term.generator(p), class_confusion(torch.cat([each, each + torch.eye(4)[0]]), 2.5))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf")])
def test_the_temperature_is_above_0(temperature: float) -> None:
    with pytest.raises(ConfigError, match=r"terms\.minimum_class_confusion\.temperature: found"):
        build({"minimum_class_confusion": {"weight": 1.0, "temperature": temperature}})
