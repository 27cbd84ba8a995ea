"""The frozen encoder that a term compares with has the weights that the config names, whatever training starts from."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from pipelines.networks import at_random, names_weights, pretrained_encoder
from pipelines.stages.align import Config
from pipelines.training.assembly import initial_networks
from segda.engine.session import Session
from segda.networks import weights
from tests import pretrained_weights


def config(tied: bool = True, encoder: dict[str, Any] | None = None) -> Config:
    data = {"name": "gta5", "root": "nowhere"}
    return Config.model_validate({
        "kind": "align", "task": {"name": "segmentation", "labels": "cityscapes"}, "steps": 1, "ema": 0.9,
        "method": {"tied": tied, "terms": {"classification": {"weight": 1.0}, "feature_distance": {"weight": 1.0}}},
        "source": data, "target": {**data, "root": "elsewhere"},
        "networks": {"encoder": encoder or pretrained_weights.encoder(), "head": {"name": "linear"}},
    })  # fmt: skip


def test_it_is_the_file_also_where_training_starts_from_a_stage(tmp_path: Path) -> None:
    made, session = config(), Session(cpu=True)
    earlier = initial_networks(made, None, session)
    with torch.no_grad():
        for parameter in earlier.modules["encoder"].parameters():
            parameter += 1
    weights.save(earlier.modules, tmp_path)
    student = initial_networks(made, tmp_path, session).modules["encoder"].state_dict()
    session.close()
    pretrained = pretrained_encoder(made, torch.device("cpu"))
    assert list(pretrained.modules) == ["encoder"]
    assert pretrained.trainable() == []
    assert not pretrained.modules["encoder"].training
    state = pretrained.modules["encoder"].state_dict()
    file = load_file(pretrained_weights.encoder()["weights"])
    for name, tensor in file.items():
        assert torch.equal(state[f"encoder.model.{name}"], tensor), name
    assert not torch.equal(student["encoder.model.conv_stem.weight"], file["conv_stem.weight"])


def test_of_two_encoders_it_is_the_sources() -> None:
    assert list(pretrained_encoder(config(tied=False), torch.device("cpu")).modules) == ["encoder.source"]


def test_weights_are_a_file_or_a_download() -> None:
    assert names_weights(config().networks)
    assert not names_weights(at_random(config()).networks)
    assert names_weights(config(encoder={"name": "smp", "weights": "imagenet"}).networks)
    assert not names_weights(config(encoder={"name": "smp", "weights": None}).networks)
    inner = {"name": "smp", "weights": "imagenet"}
    assert names_weights(config(encoder={"name": "bottleneck", "encoder": inner}).networks)
