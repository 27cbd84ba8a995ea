"""A method on networks of one's own gives the losses and gradients of the objective, and refuses wrong inputs."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import segda
from segda.batch import Batch, DomainBatch
from segda.engine.ema import MovingAverage
from segda.errors import ConfigError, DataError
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
from segda.objectives.objective import Objective
from segda.tasks.segmentation import Segmentation

BOTH = "fcns_in_the_wild_adversarial"


class Listed(nn.Module):
    """A module whose output is wrapped, as segda's own networks have it."""

    def __init__(self, own: nn.Module, wrap: Any, unwrap: bool = False) -> None:
        super().__init__()
        self.own, self.wrap, self.unwrap = own, wrap, unwrap

    def forward(self, x: Any) -> Any:
        return self.wrap(self.own(x[-1] if self.unwrap else x))


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "encoder": nn.Sequential(nn.Conv2d(3, 4, 4, stride=4), nn.ReLU()),
        "head": nn.Conv2d(4, 3, 1),
        "discriminator.feature": nn.Conv2d(4, 1, 1),
    }


def listed(plain: dict[str, nn.Module]) -> dict[str, nn.Module]:
    return {
        "encoder": Listed(plain["encoder"], lambda x: [x]),
        "head": Listed(plain["head"], lambda x: x, unwrap=True),
        "discriminator.feature": Listed(plain["discriminator.feature"], DiscriminatorOutput),
    }


def batch() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    source, target = torch.rand(2, 2, 3, 8, 8, generator=random)
    return source, torch.randint(3, (2, 8, 8), generator=random), target


def gradients(modules: dict[str, nn.Module]) -> list[Tensor]:
    return [parameter.grad.clone() for each in modules.values() for parameter in each.parameters()]  # type: ignore[union-attr]


@pytest.mark.parametrize("form", [lambda plain: plain, listed])
def test_losses_and_gradients_are_those_of_the_objective(form: Any) -> None:
    """Both players', whether networks are plain or return what segda's own do."""
    own, (source, label, target) = networks(), batch()
    losses = segda.method(BOTH).objective(form(own), classes=3, steps=10).backward(source, label, target)

    same = networks()
    method = segda.method(BOTH)
    objective = Objective(method.terms, Networks(listed(same), True), Segmentation(segda_space()), seed=0)
    position = torch.arange(2)
    samples = [DomainBatch(2 * image - 1, own_label, position, ["a", "b"]) for image, own_label in
               ((source, label), (target, None))]  # fmt: skip
    forward = objective.forward(Batch(*samples), 0.0)
    generator = objective.generator_losses(forward)
    torch.stack(list(generator.values())).sum().backward()
    discriminator = objective.discriminator_losses(forward)
    torch.stack(list(discriminator.values())).sum().backward()
    for name, loss in generator.items():
        assert losses[name] == loss
    assert losses["feature_adversarial (discriminator)"] == discriminator["feature_adversarial"]
    assert all(torch.equal(a, b) for a, b in zip(gradients(own), gradients(same), strict=True))


def segda_space() -> Any:
    from segda import label_space

    return label_space.own(classes=["a", "b", "c"])


def test_one_optimizer_is_as_good_as_two() -> None:
    source, label, target = batch()
    trained = []
    for players in ((None,), ("generators", "discriminators")):
        own = networks()
        objective = segda.method(BOTH).objective(own, classes=["a", "b", "c"], steps=3)
        optimizers = [torch.optim.Adam(objective.parameters(player), lr=1e-2) for player in players]  # type: ignore[arg-type]
        for _ in range(3):
            for optimizer in optimizers:
                optimizer.zero_grad()
            objective.backward((255 * source).byte(), label, target)
            for optimizer in optimizers:
                optimizer.step()
        trained.append([tensor for each in own.values() for tensor in each.state_dict().values()])
    assert all(torch.equal(a, b) for a, b in zip(*trained, strict=True))


def test_rising_weights_follow_the_steps() -> None:
    """DANN's reversal is 0 at the start, so that the encoder learns from the labels alone."""
    own, (source, label, target) = networks(), batch()
    objective = segda.method("dann").objective(own, classes=3, steps=2)
    objective.backward(source, label, target)
    alone = networks()
    alone.pop("discriminator.feature")
    segda.method("source_only").objective(alone, classes=3, steps=2).backward(source, label, None)
    first = [own["encoder"][0].weight.grad.clone(), alone["encoder"][0].weight.grad]  # type: ignore[index, union-attr]
    assert torch.allclose(first[0], first[1])
    own["encoder"].zero_grad()
    objective.backward(source, label, target)
    assert not torch.allclose(own["encoder"][0].weight.grad, first[1])  # type: ignore[index, arg-type]


def test_a_critic_is_clipped_after_its_update_as_in_training() -> None:
    adversarial = {"weight": 1.0, "loss": "wgan", "update": "alternating", "fool": "target"}
    terms = {"classification": {"weight": 1.0}, "feature_adversarial": adversarial}
    own, (source, label, target) = networks(), batch()
    objective = segda.method({"title": "critic", "terms": terms}).objective(own, classes=3, steps=2)
    critic = own["discriminator.feature"].weight
    with torch.no_grad():
        critic.fill_(1.0)  # type: ignore[operator]
    objective.backward(source, label, target)
    assert critic.max() == 1
    objective.backward(source, label, target)
    assert critic.max() < 0.1


def test_a_teacher_is_an_average_of_the_networks() -> None:
    own, (source, label, target) = networks(), batch()
    del own["discriminator.feature"]
    average = MovingAverage(own, 0.9)
    objective = segda.method("self_training").objective(own, classes=3, steps=2, teacher=average.modules)
    losses = objective.backward(source, label, target)
    assert set(losses) == {"classification", "self_training"}
    average.update(own, 0)
    with pytest.raises(ConfigError, match="needs 'teacher'"):
        segda.method("self_training").objective(own, classes=3, steps=2)
    with pytest.raises(ConfigError, match="give a copy"):
        segda.method("self_training").objective(own, classes=3, steps=2, teacher=own)


def test_encoders_of_two_domains_and_frozen_networks() -> None:
    own, (source, _, target) = networks(), batch()
    encoder = own.pop("encoder")
    pair = {**own, "encoder.source": copy.deepcopy(encoder), "encoder.target": encoder}
    method = segda.method("adda")
    assert method.networks == sorted(pair)
    objective = method.objective(pair, classes=3, steps=2)
    objective.backward(source, None, target)
    assert pair["encoder.source"][0].weight.grad is None  # type: ignore[index]
    assert own["head"].weight.grad is None
    assert pair["encoder.target"][0].weight.grad is not None  # type: ignore[index]


def test_classification_takes_a_label_an_image() -> None:
    own, (source, _, target) = networks(), batch()
    objective = segda.method("dann").objective(own, classes=3, steps=2, task="classification")
    assert "classification" in objective.backward(source, torch.tensor([0, 2]), target)
    with pytest.raises(DataError, match=r"expected \[2\]"):
        objective.backward(source, torch.zeros(2, 8, 8, dtype=torch.int64), target)


def test_missing_and_misspelt_networks_and_methods() -> None:
    own = networks()
    with pytest.raises(ConfigError, match=r"no network 'discriminator.features'; did you mean 'discriminator.feature'"):
        segda.method("dann").objective({**own, "discriminator.features": own["head"]}, classes=3, steps=1)
    del own["head"]
    with pytest.raises(ConfigError, match="needs a network 'head'"):
        segda.method("dann").objective(own, classes=3, steps=1)
    with pytest.raises(ConfigError, match="did you mean 'dann'"):
        segda.method("dan_n")
    with pytest.raises(ConfigError, match="translates images without training"):
        segda.method("fda")
    with pytest.raises(ConfigError, match="unknown key"):
        segda.method({"terms": {"classification": {"weight": 1.0}}, "tide": True})


@pytest.mark.parametrize(("change", "message"), [
    (lambda s, x, t: (s * 255, x, t), "divide 0 to 255 by 255"),
    (lambda s, x, t: (s, x, t * 2 - 1), r"target images: floats from -"),
    (lambda s, x, t: (s.permute(0, 2, 3, 1), x, t), "channels stand last"),
    (lambda s, x, t: (s, x + 1, t), "found 1 to 3 of 3 classes; expected 0 to 2, or 255"),
    (lambda s, x, t: (s, x - 1, t), "found -1 to 1"),
    (lambda s, x, t: (s, x.float(), t), "whole numbers"),
    (lambda s, x, t: (s, x[:, :4], t), r"labels: shape \[2, 4, 8\]"),
    (lambda s, x, t: (s.int(), x, t), "int32 numbers"),
])  # fmt: skip
def test_images_and_labels_out_of_range(change: Any, message: str) -> None:
    objective = segda.method(BOTH).objective(networks(), classes=3, steps=1)
    with pytest.raises(DataError, match=message):
        objective.backward(*change(*batch()))


def test_ignored_pixels_are_no_classes() -> None:
    source, label, target = batch()
    label[:, :4] = 255
    losses = segda.method(BOTH).objective(networks(), classes=3, steps=1).backward(source, label.byte(), target)
    assert losses["classification"] > 0


def test_the_backward_pass_may_be_anothers() -> None:
    seen = []

    def halved(loss: Tensor) -> None:
        seen.append(loss)
        (loss / 2).backward()

    own, same = networks(), networks()
    segda.method(BOTH).objective(own, classes=3, steps=1).backward(*batch(), backward=halved)
    segda.method(BOTH).objective(same, classes=3, steps=1).backward(*batch())
    assert len(seen) == 2
    assert all(torch.allclose(2 * a, b) for a, b in zip(gradients(own), gradients(same), strict=True))
