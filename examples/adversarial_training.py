"""A method's losses in a training loop of your own, with your own networks and data.

    python examples/adversarial_training.py --method fcns_in_the_wild_adversarial --steps 100

The networks and images below stand for yours. `segda.method` also takes the path of a YAML, or a mapping.
"""

import argparse
from collections.abc import Sequence

import torch
from torch import Tensor, nn

import segda
from segda.metrics.mean_iou import Confusion

METHODS = ("source_only", "dann", "deep_coral", "fcns_in_the_wild_adversarial", "output_adversarial")
CLASSES = ("road", "car", "sky")
COLOURS = torch.tensor([[0.4, 0.4, 0.4], [0.95, 0.1, 0.1], [0.35, 0.55, 0.95]])


def generated(step: int, size: int = 4) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Source images of coloured blocks and their labels; darker and noisier target images, and theirs for scoring."""
    random = torch.Generator().manual_seed(step)
    blocks = torch.randint(len(CLASSES), (2, size, 4, 4), generator=random)
    labels = blocks.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    source, target = COLOURS[labels].permute(0, 1, 4, 2, 3)
    target = (target * 0.7 - 0.05 + 0.05 * torch.randn(target.shape, generator=random)).clamp(0, 1)
    return source, labels[0], target, labels[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, then score a target batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS, default="fcns_in_the_wild_adversarial")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    args = parser.parse_args(arguments)

    torch.manual_seed(0)
    networks = {
        "encoder": nn.Sequential(nn.Conv2d(3, 32, 4, stride=4), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.ReLU()),
        "head": nn.Conv2d(32, len(CLASSES), 1),
        "discriminator.feature": nn.Sequential(nn.Conv2d(32, 32, 1), nn.ReLU(), nn.Conv2d(32, 1, 1)),
        "discriminator.logits": nn.Sequential(nn.Conv2d(len(CLASSES), 32, 1), nn.ReLU(), nn.Conv2d(32, 1, 1)),
    }
    method = segda.method(args.method)
    objective = method.objective({name: networks[name] for name in method.networks}, CLASSES, args.steps)
    optimizer = torch.optim.Adam(objective.parameters(), lr=args.learning_rate)
    for step in range(args.steps):
        source, label, target, _ = generated(step)
        optimizer.zero_grad()
        losses = objective.backward(source, label, target)
        optimizer.step()
        if (step + 1) % 10 == 0 or step + 1 == args.steps:
            print(f"step {step + 1}: " + ", ".join(f"{name} {value.item():.4f}" for name, value in losses.items()))

    _, _, target, label = generated(args.steps)
    with torch.inference_mode():
        logits = networks["head"](networks["encoder"](2 * target - 1))
    prediction = nn.functional.interpolate(logits, size=label.shape[-2:], mode="bilinear").argmax(dim=1)
    confusion = Confusion(CLASSES, ignore_index=255)
    confusion.update(label, prediction)
    print(f"target mIoU {100 * confusion.mean_iou():.1f} %")


if __name__ == "__main__":
    main()
