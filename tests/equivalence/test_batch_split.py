"""The halves of a batch, on a process each, average to the whole batch: what plain data parallelism relies on."""

import pytest

from segda.objectives import objective as objectives
from tests.equivalence import setting, split


@pytest.mark.promise("processes-equal-one")
@pytest.mark.parametrize("name", sorted(set(setting.NAMES) - setting.BATCH_STATISTICS))
def test_halves_average_to_the_whole(name: str) -> None:
    split.compare(setting.method(name), [setting.batch()])


@pytest.mark.parametrize("name", ["cyclegan", "cyclegan_semantic"])
def test_halves_share_one_image_pool_while_it_swaps(name: str) -> None:
    config = setting.method(name)
    config["terms"]["translation_adversarial"]["pool"] = 3
    split.compare(config, [setting.batch(start=4 * step) for step in range(4)])


def test_options_that_no_method_uses_split_as_well() -> None:
    config = setting.method("i2i")
    config["terms"]["identity"]["loss"] = "l2"
    config["terms"]["translation_adversarial"].update(loss="bce")
    config["terms"]["cycle"].update(loss="l2", class_weighted=True)
    config["terms"]["target_entropy"] = {"weight": 0.01}
    split.compare(config, [setting.batch()])


@pytest.mark.parametrize("name", sorted(setting.BATCH_STATISTICS))
def test_statistics_of_a_batch_do_not_split(name: str) -> None:
    """What docs/limits.md says of them is so."""
    with pytest.raises(AssertionError):
        split.compare(setting.method(name), [setting.batch()])


@pytest.mark.promise("gathered-statistics")
@pytest.mark.parametrize("name", sorted(setting.BATCH_STATISTICS))
def test_gathered_statistics_of_a_batch_split(name: str) -> None:
    """What `runtime.gather_statistics` is for."""
    split.compare(setting.method(name), [setting.batch()], gather_statistics=True)


@pytest.mark.promise("ungathered-warning")
def test_methods_of_batch_statistics_say_so() -> None:
    named = {
        name
        for name in setting.NAMES
        if any(term.is_batch_statistic() for term in objectives.build(setting.method(name)["terms"]).values())
    }
    assert named == setting.BATCH_STATISTICS
