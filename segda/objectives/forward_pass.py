"""The tensors of one training step, each computed at most once, and only if a term uses it."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from segda.batch import Batch, Domain, DomainBatch, moved, other
from segda.errors import ConfigError
from segda.networks.discriminator_output import DiscriminatorOutput
from segda.networks.networks import Networks
from segda.networks.two_scales import Corners, TwoScales, drawn
from segda.objectives import draw
from segda.objectives.class_sizes import ClassSizes
from segda.objectives.image_pool import ImagePool
from segda.task import Task

Value = TypeVar("Value")


@dataclass(eq=False)
class ForwardPass:
    """Named tensors of one step. `domain` is always the domain an image comes from, not the one it is translated to.

    With tied encoders every `encode` is the same function; with untied ones each image is encoded by the encoder of the
    domain that it looks like. A pass belongs to one step: parameters do not change during it.

    Attributes:
        batch: the step's samples.
        task: the supervised loss.
        seed: the run's seed, for draws by position.
        progress: share of training done, in `[0, 1]`.
        pools: by the domain that their images were translated to.
        gather: concatenates a tensor over processes.
        gather_samples: the same with gradients, where statistics of a batch are those of all processes.
        measured_sizes: the class sizes of the labelled source images.
        pretrained: the source images' encoder as it was before all training, frozen.
    """

    batch: Batch
    networks: Networks
    task: Task
    seed: int
    progress: float
    pools: Mapping[Domain, ImagePool]
    gather: Callable[[Tensor], Tensor]
    teacher: Networks | None = None
    judge: Networks | None = None
    measured_sizes: ClassSizes | None = None
    gather_samples: Callable[[Tensor], Tensor] | None = None
    pretrained: Networks | None = None
    _cache: dict[Hashable, Any] = field(default_factory=dict, init=False)

    def once(self, name: Hashable, compute: Callable[[], Value]) -> Value:
        """The value cached under `name`, computed at the first call; a term's own values start with the term's name."""
        if name not in self._cache:
            self._cache[name] = compute()
        return cast(Value, self._cache[name])

    def computed(self, name: Hashable) -> Any:
        """The value cached under `name`; `None` where no term has asked for it."""
        return self._cache.get(name)

    # --- inputs ---------------------------------------------------------------------------------------------------

    def samples(self, domain: Domain) -> DomainBatch:
        """The samples of a domain.

        Raises:
            ConfigError: a term uses target images and the stage has none.
        """
        if domain == "source":
            return self.batch.source
        if self.batch.target is None:
            raise ConfigError("the method's terms use target images, but this stage has no target data; give `target:`")
        return self.batch.target

    def image(self, domain: Domain) -> Tensor:
        """`[B, 3, H, W]` in `[-1, 1]`."""
        return self.samples(domain).image

    def label(self) -> Tensor:
        """The source labels, int64 `[B, H, W]`, or `[B]` for classification.

        Raises:
            ConfigError: the source has no labels.
        """
        label = self.batch.source.label
        if label is None:
            raise ConfigError("the method's terms use source labels, but the source data has none; give labelled data")
        return label

    def uniform(self, purpose: str, domain: Domain, shape: tuple[int, ...] = ()) -> Tensor:
        """Draws in `[0, 1)` for the samples of a domain: `[B, *shape]` on the CPU."""
        return draw.uniform(self.seed, f"{purpose}/{domain}", self.samples(domain).position, shape)

    def normal(self, purpose: str, domain: Domain, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers `[B, *shape]` for the samples of a domain, on the device of their images."""
        drawn = draw.normal(self.seed, f"{purpose}/{domain}", self.samples(domain).position, shape)
        image = self.image(domain)
        return moved(drawn.to(image.dtype), image.device)

    def places(self, purpose: str, domain: Domain, count: int, total: int) -> Tensor:
        """`count` of `total` places, or all of fewer, for each sample of a domain: `[B, N]` on its images' device."""
        drawn = draw.places(self.seed, f"{purpose}/{domain}", self.samples(domain).position, count, total)
        return moved(drawn, self.image(domain).device)

    def whole_batch(self, samples: Tensor) -> Tensor:
        """For statistics of a batch: samples `[N, ...]` of this process, or of all where the stage gathers them."""
        return self.gather_samples(samples) if self.gather_samples else samples

    @property
    def class_sizes(self) -> ClassSizes:
        """The class sizes of the labelled source images.

        Raises:
            ConfigError: the stage has not measured them.
        """
        if self.measured_sizes is None:
            raise ConfigError("the method's terms use class sizes, which this stage has not measured")
        return self.measured_sizes

    # --- generators -----------------------------------------------------------------------------------------------

    def features(self, domain: Domain) -> list[Tensor]:
        """The image's feature pyramid by its own encoder, fine to coarse."""
        return self.once(("features", domain), lambda: self.encode(self.image(domain), domain))

    def z(self, domain: Domain) -> Tensor:
        """The latent representation: the coarsest feature map `[B, C, h, w]`."""
        return self.features(domain)[-1]

    def logits(self, domain: Domain) -> Tensor:
        """Class logits `[B, K, h, w]`; of a head of two scales those of both together."""
        if self.networks.detail_multiple:
            return self.scales(domain)[0]
        return self.once(("logits", domain), lambda: self.networks.classify(self.features(domain)))

    def scales(self, domain: Domain) -> tuple[Tensor, Tensor]:
        """Of a head of two scales: class logits of both together, `[B, K, 2 h, 2 w]`, and of the detail crops alone."""
        return self.once(
            ("scales", domain), lambda: self.networks.classify_scales(cast(TwoScales, self.features(domain)))
        )

    def corners(self, domain: Domain) -> Corners:
        """Of a head of two scales: where the detail crop of each image lies, drawn by the sample's position.

        Raises:
            ConfigError: the images' size does not divide by two crops on the encoder's grid.
        """
        size, divisor = self.image(domain).shape[-2:], 2 * self.networks.detail_multiple
        if any(side % divisor for side in size):
            raise ConfigError(
                f"head: with two scales it trains on images whose height and width divide by {divisor}, found "
                f"{size[0]}x{size[1]}; set such a `crop`"
            )
        rows, columns = (self.uniform(f"detail {axis}", domain) for axis in ("rows", "columns"))
        return drawn(size, self.networks.detail_multiple, rows, columns)

    def reconstructed(self, domain: Domain) -> Tensor:
        """The image encoded and decoded in its own domain."""
        return self.once(("reconstructed", domain), lambda: self.networks.decode(self.features(domain), domain))

    def reconstructed_through_other(self, domain: Domain) -> Tensor:
        """The image through the translator to its own domain: the other domain's encoder, its own decoder."""
        if self.networks.tied:
            return self.reconstructed(domain)
        return self.once(
            ("reconstructed through other", domain),
            lambda: self.networks.decode(self.networks.encode(self.image(domain), other(domain)), domain),
        )

    def translated(self, domain: Domain) -> Tensor:
        """The image of `domain` in the look of the other domain."""
        return self.once(("translated", domain), lambda: self.networks.decode(self.features(domain), other(domain)))

    def features_translated(self, domain: Domain, stop_gradient: bool = False) -> list[Tensor]:
        """Feature pyramid of the translated image; `stop_gradient` detaches the translation."""

        def encode() -> list[Tensor]:
            image = self.translated(domain)
            return self.networks.encode(image.detach() if stop_gradient else image, other(domain))

        return self.once(("features translated", domain, stop_gradient), encode)

    def logits_translated(self, domain: Domain, stop_gradient: bool = False) -> Tensor:
        """Class logits of the translated image."""
        return self.once(
            ("logits translated", domain, stop_gradient),
            lambda: self.networks.classify(self.features_translated(domain, stop_gradient)),
        )

    def cycled(self, domain: Domain) -> Tensor:
        """The image translated to the other domain and back."""
        return self.once(("cycled", domain), lambda: self.networks.decode(self.features_translated(domain), domain))

    def encode(self, image: Tensor, domain: Domain) -> list[Tensor]:
        """The feature pyramid of any image by the encoder of `domain`; not cached."""
        if self.networks.detail_multiple:
            return self.networks.encode(image, domain, self.corners(domain))
        return self.networks.encode(image, domain)

    def decode(self, features: list[Tensor], domain: Domain) -> Tensor:
        """Any features as an image of `domain`; not cached."""
        return self.networks.decode(features, domain)

    def classify(self, features: list[Tensor]) -> Tensor:
        """Class logits of any features; not cached."""
        return self.networks.classify(features)

    def rebuild(self, features: list[Tensor], masked: Tensor) -> list[Tensor]:
        """Any features with their coarsest maps rebuilt where `masked`, bool `[B, h, w]`; not cached."""
        return self.networks.rebuild(features, masked)

    def project(self, features: list[Tensor]) -> list[Tensor]:
        """Unit vectors `[B, N, D]` of features `[B, N, C]` at some places of every map; not cached."""
        return self.networks.project(features)

    def probabilities(self, domain: Domain) -> Tensor:
        """Class probabilities `[B, K, h, w]`."""
        return self.once(("probabilities", domain), lambda: self.logits(domain).softmax(dim=1))

    def posterior(self, domain: Domain) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the latent variable given the image, each like z."""
        return self.once(("posterior", domain), lambda: self.networks.posterior(self.z(domain)))

    def latent_sample(self, domain: Domain) -> list[Tensor]:
        """The image's features with z replaced by a sample of its posterior."""

        def sample() -> list[Tensor]:
            mean, log_variance = self.posterior(domain)
            noise = self.normal("latent sample", domain, tuple(mean.shape[1:]))
            return [*self.features(domain)[:-1], mean + (log_variance / 2).exp() * noise]

        return self.once(("latent sample", domain), sample)

    def sampled(self, domain: Domain) -> Tensor:
        """The sampler's image of `domain`; both domains' are made from the same noise."""

        def sample() -> Tensor:
            return self.networks.sample(self.normal("sampler", "source", (self.networks.noise,)), domain)

        return self.once(("sampled", domain), sample)

    def predict(self, image: Tensor, domain: Domain) -> Tensor:
        """Class logits of any image; not cached."""
        return self.networks.classify(self.encode(image, domain))

    def teacher_logits(self, mirrored: bool = False) -> Tensor:
        """The teacher's class logits of the target image, or of its mirror image, without gradient.

        Raises:
            ConfigError: the stage has no teacher.
        """
        teacher = self.teacher
        if teacher is None:
            raise ConfigError("the method's terms use a teacher, but the stage has none; set an EMA decay")

        def compute() -> Tensor:
            image = self.image("target")
            with torch.no_grad():
                return teacher.classify(teacher.encode(image.flip(-1) if mirrored else image, "target"))

        return self.once(("teacher logits", mirrored), compute)

    def judge_logits(self, name: str, image: Tensor, domain: Domain) -> Tensor:
        """The frozen judge's class logits of `image`, cached under `name`; gradients reach the image.

        Raises:
            ConfigError: the stage has no judge.
        """
        judge = self.judge
        if judge is None:
            raise ConfigError("the method's terms use a judge, but the stage has none; set `judge: {from: a stage}`")
        return self.once(("judge", name), lambda: judge.classify(judge.encode(image, domain)))

    def pretrained_z(self) -> Tensor:
        """The source image's z by the encoder with its pretrained weights, of what the encoder sees, without gradient.

        Raises:
            ConfigError: the stage has none.
        """
        pretrained = self.pretrained
        if pretrained is None:
            raise ConfigError(
                "the method's terms use the pretrained encoder, but the stage has none; give it `weights`"
            )

        seen = self.features("source")[0]  # with a head of two scales, the image at half its resolution

        def compute() -> Tensor:
            with torch.no_grad():
                return pretrained.encode(seen, "source")[-1]

        return self.once("pretrained z", compute)

    # --- discriminators' outputs for the generators' losses (discriminators frozen) ---------------------------------

    def discriminate(self, discriminator: str, name: str, x: Tensor) -> DiscriminatorOutput:
        """The output of `discriminator` for `x`, cached under `name`."""
        return self.once(("output", discriminator, name), lambda: self.networks.discriminate(discriminator, x))

    def discriminate_translated(self, domain: Domain) -> DiscriminatorOutput:
        """The output for the translated image of the discriminator of the other domain."""
        return self.discriminate(other(domain), "translated", self.translated(domain))

    def discriminate_cycled(self, domain: Domain) -> DiscriminatorOutput:
        """The output for the cycled image of the discriminator of its own domain."""
        return self.discriminate(domain, "cycled", self.cycled(domain))

    # --- discriminators' outputs for their own losses (inputs detached) -----------------------------------------------

    def through_lens(self, domain: Domain) -> Tensor:
        """The image through its domain's lens, or the image itself if the method has no lenses."""
        return self.once(("through_lens", domain), lambda: self.networks.lens(self.image(domain), domain))

    def real(self, domain: Domain) -> Tensor:
        """The discriminator's real sample: the image, through a lens if the method has lenses, without gradient."""
        return self.through_lens(domain).detach()

    def discriminate_real(self, domain: Domain) -> DiscriminatorOutput:
        """The output for a real image of the discriminator of its domain."""
        return self.discriminate(domain, "real", self.real(domain))

    def discriminate_translated_detached(self, domain: Domain) -> DiscriminatorOutput:
        """As `discriminate_translated`, without gradient to the translator."""
        return self.discriminate(other(domain), "translated, detached", self.translated(domain).detach())

    def translated_from_pool(self, domain: Domain) -> Tensor:
        """Translated images for the discriminator: this step's, or from the pool if the method has one."""
        pool = self.pools.get(other(domain))
        if pool is None:
            return self.translated(domain).detach()
        return self.once(
            ("translated from pool", domain),
            lambda: pool.exchange(self.translated(domain), self.samples(domain).position, self.gather),
        )

    def discriminate_from_pool(self, domain: Domain) -> DiscriminatorOutput:
        """The output for `translated_from_pool` of the discriminator of the other domain."""
        if other(domain) not in self.pools:
            return self.discriminate_translated_detached(domain)
        return self.discriminate(other(domain), "pool", self.translated_from_pool(domain))

    def realness(self, discriminator: str, x: Tensor) -> Tensor:
        """A discriminator's scores of any image or features; not cached."""
        return self.networks.discriminate(discriminator, x).realness
