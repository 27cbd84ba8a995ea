"""Diagnostics of a logged step: computed by hand, and without effect on the training."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from segda.batch import Batch, DomainBatch
from segda.engine import diagnostics
from segda.engine.health import HealthPolicy
from segda.engine.session import Session
from tests.equivalence import setting
from tests.unit.engine.test_fit import batches, run, training

POLICY = HealthPolicy(classes=setting.SPACE.classes)


def trained(name: str, folder: Path, log_every: int, change: Any = None) -> tuple[dict[str, Tensor], Tensor, list[Any]]:
    """Networks, random state and log after three steps."""
    torch.manual_seed(3)
    made = training(name)
    if change:
        change(made)
    folder.mkdir()
    run(made, batches(itertools.count()), folder, log_every=log_every, save_every=100, policy=POLICY)
    state = {f"{key}/{name}": value for key, module in made.modules.items() for name, value in
             module.state_dict().items()}  # fmt: skip
    return state, torch.get_rng_state(), [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name


# Reversal, a frozen encoder, gradient penalty and pool, a lens, a sampler, a teacher. All methods together are slow.
QUICK = {"adda", "cogan", "cyclegan_tempered", "dann", "i2i", "self_training"}


@pytest.mark.promise("diagnostics")
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in setting.NAMES]
)
def test_measuring_changes_no_bit_of_any_method(name: str, tmp_path: Path) -> None:
    often, random, lines = trained(name, tmp_path / "often", 1)
    never, expected, _ = trained(name, tmp_path / "never", 100)
    same(often, never)
    assert torch.equal(random, expected)
    assert len(lines) == 3
    terms = {loss for line in lines for loss in line["losses"]}
    players = set(lines[0]["learning_rate"])
    for line in lines:
        assert set(line["gradients"]) == terms | players
        assert all(norm >= 0 for norm in line["gradients"].values())
        assert max(line["gradients"].values()) > 0


def test_neither_running_statistics_nor_dropout_notice(tmp_path: Path) -> None:
    """DANN itself never runs the head on the target; this head has running statistics and dropout."""

    def change(made: Any) -> None:
        head = nn.Sequential(nn.BatchNorm2d(12), nn.Dropout(0.5), nn.Conv2d(12, setting.CLASSES, 1)).double()

        class Last(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.head = head

            def forward(self, features: list[Tensor]) -> Tensor:
                return self.head(features[-1])

        built = Last().double()
        made.modules["head"] = built
        made.prepared["head"] = built
        made.objective.networks.modules["head"] = built
        made.generator.add_param_group({"params": list(built.parameters()), "lr": 0.05, "base_rate": 0.05})

    often, random, lines = trained("dann", tmp_path / "often", 1, change)
    never, expected, _ = trained("dann", tmp_path / "never", 100, change)
    assert "head/head.0.running_mean" in often
    same(often, never)
    assert torch.equal(random, expected)
    assert sum(lines[0]["predicted"]["target"].values()) == pytest.approx(1, abs=0.01)


@pytest.mark.promise("diagnostics")
def test_norms_of_terms_and_players_by_hand() -> None:
    layer = nn.Linear(2, 1, bias=False)
    encoder = nn.Sequential(nn.Linear(2, 2), layer, nn.BatchNorm1d(1))
    modules = nn.ModuleDict({"encoder": encoder, "head": nn.Linear(1, 1)})
    weights = diagnostics.last_layers(modules, ["head", "encoder"])
    assert [weight is layer.weight for weight in weights] == [True], "the encoder's, not the normalisation's vector"
    x = torch.tensor([[3.0, 4.0]])
    other = modules["head"](torch.ones(1, 1)).sum()
    losses = {"a": layer(x).sum(), "b": 2 * layer(x).sum(), "none": torch.ones(()), "other": other}
    norms = diagnostics.term_norms(losses, weights, scale=1024.0)
    assert {name: norm.item() for name, norm in norms.items()} == {"a": 5.0, "b": 10.0, "none": 0.0, "other": 0.0}
    assert layer.weight.grad is None
    losses["a"].backward()  # its graph has not been freed
    layer.weight.grad = 8 * layer.weight.grad
    assert diagnostics.player_norm(torch.optim.SGD(modules.parameters(), lr=0.1), 8.0).item() == 5.0


def test_without_encoders_each_network_of_a_player_is_looked_at() -> None:
    modules = nn.ModuleDict({"discriminator;a": nn.Linear(2, 2), "discriminator;b": nn.Linear(2, 3)})
    weights = diagnostics.last_layers(modules, modules)
    assert [tuple(weight.shape) for weight in weights] == [(2, 2), (3, 2)]


class Fixed:
    """A pass with fixed logits."""

    def __init__(self, batch: Batch, logits: dict[str, Tensor]) -> None:
        self.batch, self.logits = batch, logits.__getitem__


def shares(label: Tensor, source: Tensor, target: Tensor) -> dict[str, list[float]]:
    image = torch.zeros(len(label), 3, 4, 4)
    where = torch.arange(len(label))
    batch = Batch(DomainBatch(image, label, where, []), DomainBatch(image, None, where, []))
    networks = setting.networks(setting.method("source_only"))
    computed = diagnostics.class_shares(networks, Fixed(batch, {"source": source, "target": target}), 3)  # type: ignore
    assert networks.modules["head"].training
    return {name: share.tolist() for name, share in computed.items()}


def test_shares_of_pixels_leave_out_what_is_ignored() -> None:
    label = torch.tensor([[[0, 0, 255], [255, 1, 0]]])
    one, two = (torch.zeros(1, 3, 1, 2) for _ in range(2))
    one[0, 2] = 1
    two[0, :, 0, 0], two[0, :, 0, 1] = torch.tensor([0.0, 1, 2]), torch.tensor([5.0, 1, 2])
    assert shares(label, one, two) == {
        "predicted.source": [0, 0, 1],
        "predicted.target": [0.5, 0, 0.5],
        "labelled.source": [0.75, 0.25, 0],
    }


def test_the_shares_of_an_oracle_are_the_targets() -> None:
    """What it is trained on is no source."""
    label, logits = torch.tensor([[[0, 1]]]), torch.zeros(1, 3, 1, 2)
    logits[0, 2] = 1
    batch = Batch(DomainBatch(torch.zeros(1, 3, 4, 4), label, torch.arange(1), []), None)
    networks = setting.networks(setting.method("source_only"))
    computed = diagnostics.class_shares(networks, Fixed(batch, {"source": logits}), 3, "target")  # type: ignore
    assert {name: share.tolist() for name, share in computed.items()} == {
        "predicted.target": [0, 0, 1],
        "labelled.target": [0.5, 0.5, 0],
    }


def test_shares_of_images_count_an_image_once() -> None:
    """The mean of the logits decides: two positions favour class 0, but one favours class 1 much more strongly."""
    logits = torch.zeros(2, 3, 1, 3)
    logits[0, :, 0] = torch.tensor([[1.0, 1, 0], [0, 0, 9], [0, 0, 0]])
    logits[1, 2] = 1
    computed = shares(torch.tensor([0, 255]), logits, logits)
    assert computed == {
        "predicted.source": [0, 0.5, 0.5],
        "predicted.target": [0, 0.5, 0.5],
        "labelled.source": [1, 0, 0],
    }


def test_a_norm_that_is_not_finite_is_written_as_none() -> None:
    values = {
        "gradients.generator": torch.tensor(float("inf")),
        "gradients.generator.cycle": torch.tensor(1.23456e-9),
        "predicted.target": torch.tensor([0.0, 1 / 3, 2 / 3]),
    }
    assert diagnostics.as_log_parts(values, ["a", "b", "c"], Session(cpu=True)) == {
        "gradients": {"generator": None, "generator.cycle": 1.23e-9},
        "predicted": {"target": {"b": 0.333, "c": 0.667}},
    }
    assert diagnostics.as_log_parts({}, [], Session(cpu=True)) == {}
