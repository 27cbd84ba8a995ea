"""Verdicts on numbers written by hand: when each begins, when it ends, and what is none."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from segda.engine.health import HealthMonitor, Limits

LIMITS = Limits(lines=3, exploding_lines=2, learning=4)
Line = dict[str, Any]


def watch(lines: Iterable[Line], limits: Limits = LIMITS) -> tuple[HealthMonitor, list[tuple[int, int]]]:
    """The monitor after all lines, numbered 10, 20, …, and at which steps how many findings had begun and ended."""
    found = HealthMonitor(limits)
    told = []
    for number, line in enumerate(lines, 1):
        begun, ended = found.read({"step": 10 * number, **line})
        told += [(10 * number, len(begun) - len(ended))] * bool(begun or ended)
    return found, told


def accuracy(*values: float, of: str = "feature_adversarial.", advantage: float = -0.5) -> list[Line]:
    return [{"measures": {f"{of}accuracy": value, f"{of}advantage": advantage}} for value in values]


def test_a_discriminator_that_is_always_right_is_told_once_and_its_end_once() -> None:
    found, told = watch(accuracy(0.9, 1, 0.999, 1, 1, 1, 0.8, 1))
    assert told == [(40, 1), (70, -1)]
    (finding,) = found.findings
    assert finding.to_json() == {
        "what": "the discriminator of feature_adversarial is always right, so nothing can be learnt from it",
        "series": "measures.feature_adversarial.accuracy",
        "since": 20,
        "until": 70,
    }


@pytest.mark.parametrize("values", [(1, 1, 0.9, 1, 1), (0.99,) * 6, (0.5, 0.5, 0.51, 0.5), (0.4,) * 6])
def test_a_discriminator_that_moves_is_well(values: tuple[float, ...]) -> None:
    assert watch(accuracy(*values))[0].findings == []


def test_a_discriminator_that_gives_one_answer_has_collapsed() -> None:
    """Right on all of one kind and wrong on all of the other: exactly one half, again and again."""
    found, told = watch(accuracy(0.7, 0.5, 0.5, 0.5, of="translation_adversarial.source_"))
    assert told == [(40, 1)]
    assert "the discriminator of translation_adversarial.source has collapsed" in found.findings[0].what
    assert found.findings[0].until is None


def test_a_discriminator_that_was_fooled_is_well() -> None:
    """Where the domains are alike, the same answer to all is the best; it costs what guessing does."""
    assert watch(accuracy(*[0.5] * 6, advantage=-0.01))[0].findings == []
    assert watch([{"measures": {"feature_adversarial.accuracy": 0.5}}] * 6)[0].findings == []


def test_a_critic_has_no_accuracy_and_is_not_judged_by_its_distance() -> None:
    assert watch([{"measures": {"translation_adversarial.source_distance": 1.0}}] * 5)[0].findings == []


def predicted(*shares: float, labelled: float | None = None, domain: str = "target") -> list[Line]:
    """Lines in which the class car has these shares of the predictions, and perhaps one of the labels."""
    lines = [{"predicted": {domain: {"road": 1 - share, **({"car": share} if share else {})}}} for share in shares]
    return lines if labelled is None else [{**line, "labelled": {"source": {"car": labelled}}} for line in lines]


def test_a_class_that_was_predicted_and_is_no_more_has_vanished() -> None:
    found, told = watch(predicted(0.2, 0.1, 0.2, 0, 0, 0, 0, 0.1, 0))
    assert told == [(60, 1), (80, -1)]
    assert found.findings[0].to_json() == {
        "what": "the class car is not predicted on the target",
        "series": "predicted.target.car",
        "since": 40,
        "until": 80,
    }


def test_a_class_stays_vanished_for_as_long_as_it_is_gone() -> None:
    assert watch(predicted(0.2, 0.1, 0.2, *[0] * 50))[1] == [(60, 1)]


def test_stray_pixels_are_no_class() -> None:
    assert watch(predicted(0.2, 0.1, 0.2, 1e-5, 1e-5, 1e-5))[1] == [(60, 1)]


def test_a_rare_class_is_not_missed() -> None:
    """Predicted in a third of the lines, and a class of which the source has little."""
    assert watch(predicted(0, 0, 0.2, 0, 0, 0.2, 0, 0, 0, labelled=0.01))[0].findings == []
    assert watch(predicted(*[5e-4] * 6, 0, 0, 0))[0].findings == []


def test_a_class_that_labels_have_is_missed_though_it_was_never_predicted() -> None:
    """It may take some lines to be learnt."""
    found, told = watch(predicted(0, 0, 0, 0, 0, labelled=0.1))
    assert told == [(40, 1)]
    assert found.findings[0].since == 10
    assert watch(predicted(0, 0, 0, 0.1, 0, labelled=0.1))[0].findings == []
    assert watch(predicted(0, 0, 0, 0, 0, labelled=0.04))[0].findings == []


def test_without_target_predictions_the_source_counts() -> None:
    found, _ = watch(predicted(0.2, 0.2, 0.2, 0, 0, 0, domain="source"))
    assert found.findings[0].what == "the class car is not predicted on the source"
    gone = predicted(0.2, 0.2, 0.2, 0, 0, 0, domain="source")
    both = [{"predicted": {**line["predicted"], "target": {"car": 0.2}}} for line in gone]
    assert watch(both)[0].findings == [], "the target is what counts where there is one"


def norms(*values: float | None, name: str = "generator", measure: str = "") -> list[Line]:
    measures = {"measures": {measure: 0.7}} if measure else {}
    return [{"gradients": {name: value}, **measures} for value in values]


def test_a_gradient_far_above_what_is_typical_explodes() -> None:
    """Typical is the geometric mean, between 1 and 3 here; a norm that explodes does not count in it."""
    found, told = watch(norms(0.1, 10, 1, 1, 99, 1, 1, 1, 1, 1e9, 1, 1000, 1e9, 1e3, 5))
    assert told == [(130, 1), (150, -1)]
    assert found.findings[0].to_json() == {
        "what": "the gradient of the generator explodes",
        "series": "gradients.generator",
        "since": 120,
        "until": 150,
    }


@pytest.mark.parametrize(("values", "name"), [
    ([1e-5] * 3 + [0.9] * 3, "generator"),  # it would pass through any clipping
    ([1e-5] * 3 + [500.0] * 3, "generator.feature_adversarial"),  # a term that only begins to count
])  # fmt: skip
def test_a_gradient_that_comes_to_life_is_no_explosion(values: list[float], name: str) -> None:
    assert watch(norms(*values, name=name))[0].findings == []


def test_a_norm_that_is_not_finite_explodes_from_the_first_line_on() -> None:
    assert watch(norms(None, None))[1] == [(20, 1)]
    assert watch(norms(None, 1, None))[0].findings == []


def test_a_gradient_that_grows_with_its_weight_is_well() -> None:
    assert watch(norms(*[number / 100 for number in range(100)]))[0].findings == []


def test_the_gradient_of_a_player_is_gone_when_it_is_next_to_nothing() -> None:
    found, told = watch(norms(0, 1e-9, 0, 1e-9, 1e-3, name="discriminator"))
    assert told == [(30, 1), (50, -1)]
    assert found.findings[0].what == "the gradient of the discriminator has vanished"
    assert watch(norms(*[1e-7] * 5))[0].findings == []


@pytest.mark.parametrize(("values", "measure", "told"), [
    ((1, 0, 0, 0), "feature_adversarial.accuracy", [(40, 1)]),
    ((0, 0, 0, 0), "feature_adversarial.accuracy", []),  # it does not reach what is looked at
    ((1, 0, 0, 0), "", []),  # a constraint that is met
])  # fmt: skip
def test_a_terms_gradient_is_missed_only_if_it_plays_against_a_discriminator(
    values: tuple[float, ...], measure: str, told: list[tuple[int, int]]
) -> None:
    assert watch(norms(*values, name="generator.feature_adversarial", measure=measure))[1] == told


def test_lines_of_earlier_versions_are_read_and_give_no_verdict() -> None:
    assert watch([{"losses": {"generator.cycle": 1.0}, "learning_rate": {"generator": 0.1}}] * 9)[0].findings == []


@pytest.mark.parametrize("lines", [accuracy, predicted, norms])
def test_a_monitor_that_reads_the_log_again_goes_on_as_if_it_had_never_stopped(
    lines: Callable[..., list[Line]],
) -> None:
    values = [0.3, 0.5, 0.2, 1, 1, 1, 1, 0, 0, 0, 0, 0.5, 0.5, 0.5, 200, 300]
    made = [{"step": number, **line} for number, line in enumerate(lines(*values))]
    whole = HealthMonitor(LIMITS, made)
    assert whole.findings
    for cut in range(len(made)):
        again = HealthMonitor(LIMITS, made[:cut])
        for line in made[cut:]:
            again.read(line)
        assert again.findings == whole.findings
