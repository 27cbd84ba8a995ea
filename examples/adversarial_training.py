"""A method's losses in a training loop of your own, with your own networks and data.

    python examples/adversarial_training.py --method fcns_in_the_wild_adversarial --steps 100

The terms come from configs/methods; a dict in your code does as well. The networks and images below stand for yours.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segda.batch import Batch, DomainBatch
from segda.config import loading
from segda.label_space import LabelSpace
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
from segda.objectives import objective as objectives
from segda.tasks.segmentation import Segmentation

METHODS = ("source_only", "dann", "deep_coral", "fcns_in_the_wild_adversarial", "output_adversarial")
SPACE = LabelSpace("blocks", ("road", "car", "sky"), ((128, 64, 128), (0, 0, 142), (70, 130, 180)))
COLOURS = torch.tensor([[-0.2, -0.2, -0.2], [0.9, -0.8, -0.8], [-0.3, 0.1, 0.9]])


class Encoder(nn.Sequential):
    """An encoder of your own: its feature maps go into a list, fine to coarse."""

    def forward(self, image: Tensor) -> list[Tensor]:
        """`[B, 3, H, W]` to a list of `[B, C, h, w]`; methods align the last."""
        return [super().forward(image)]


class Head(nn.Conv2d):
    """A head of your own: it takes the list of feature maps."""

    def forward(self, features: list[Tensor]) -> Tensor:
        """Class logits `[B, K, h, w]`, which the task upsamples to the label's size."""
        return super().forward(features[-1])


class Discriminator(nn.Sequential):
    """A discriminator of your own: its scores go into a `Judgement`."""

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Features or class probabilities to raw scores `[B, 1, h, w]`, high for source."""
        return DiscriminatorOutput(super().forward(x))


def generated(step: int, size: int = 4) -> tuple[Batch, Tensor]:
    """A batch of coloured blocks, darker and noisier in the target domain, and the target's labels for scoring."""
    random = torch.Generator().manual_seed(step)
    blocks = torch.randint(SPACE.count, (2, size, 4, 4), generator=random)
    labels = blocks.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    source, target = COLOURS[labels].permute(0, 1, 4, 2, 3)
    target = (target * 0.7 - 0.2 + 0.1 * torch.randn(target.shape, generator=random)).clamp(-1, 1)
    position = torch.arange(step * size, (step + 1) * size)  # the sample's seed for what a method draws at random
    keys = [f"{index}.png" for index in position.tolist()]  # for messages
    batch = Batch(DomainBatch(source, labels[0], position, keys), DomainBatch(target, None, position, keys))
    return batch, labels[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, then score a target batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS, default="fcns_in_the_wild_adversarial")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    args = parser.parse_args(arguments)

    torch.manual_seed(0)
    method = loading.load(loading.find(args.method, "methods"), "methods")
    terms = objectives.build(method["terms"])
    modules = {
        "encoder": Encoder(nn.Conv2d(3, 32, 4, stride=4), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.ReLU()),
        "head": Head(32, SPACE.count, 1),
        "discriminator.feature": Discriminator(nn.Conv2d(32, 32, 1), nn.ReLU(), nn.Conv2d(32, 1, 1)),
        "discriminator.logits": Discriminator(nn.Conv2d(SPACE.count, 32, 1), nn.ReLU(), nn.Conv2d(32, 1, 1)),
    }
    needed = objectives.needs(terms)
    networks = Networks({name: module for name, module in modules.items() if name in needed}, tied=True)
    task = Segmentation(SPACE)
    objective = objectives.Objective(terms, networks, task, seed=0)

    optimizers = []  # one for encoder and head, and one for the discriminators if they train in turn
    for player in objective.players():
        parameters = [parameter for name in player for parameter in networks.modules[name].parameters()]
        if parameters:
            optimizers.append(torch.optim.Adam(parameters, lr=args.learning_rate))

    for step in range(args.steps):
        batch, _ = generated(step)
        forward = objective.forward(batch, progress=step / args.steps)
        for optimizer in optimizers:
            optimizer.zero_grad()
        losses = objective.generator_losses(forward)
        torch.stack(list(losses.values())).sum().backward()
        discriminator_losses = objective.discriminator_losses(forward)
        if discriminator_losses:
            torch.stack(list(discriminator_losses.values())).sum().backward()
        for optimizer in optimizers:
            optimizer.step()
        if (step + 1) % 10 == 0 or step + 1 == args.steps:
            values = losses | {f"{name} (discriminator)": loss for name, loss in discriminator_losses.items()}
            print(f"step {step + 1}: " + ", ".join(f"{name} {value.item():.4f}" for name, value in values.items()))

    batch, label = generated(args.steps)
    networks.train(False)
    meter = task.meter()
    meter.update(label, task.predict(networks, batch.target.image, (label.shape[-2], label.shape[-1])))
    print(f"target mIoU {100 * meter.mean_iou():.1f} %")


if __name__ == "__main__":
    main()
