"""Health findings from synthetic log lines: when each begins and ends, and what is healthy."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from segda.engine.health import HealthMonitor, Limits

LIMITS = Limits(lines=3, exploding_lines=2, learning=4)
Line = dict[str, Any]


def watch(lines: Iterable[Line], limits: Limits = LIMITS) -> tuple[HealthMonitor, list[tuple[int, int]]]:
    """The monitor after all lines (steps 10, 20, …), and the steps at which findings began (+) or ended (-)."""
    monitor = HealthMonitor(limits)
    changes = []
    for number, line in enumerate(lines, 1):
        begun, ended = monitor.read({"step": 10 * number, **line})
        changes += [(10 * number, len(begun) - len(ended))] * bool(begun or ended)
    return monitor, changes


def accuracy(*values: float, of: str = "feature_adversarial.", advantage: float = -0.5) -> list[Line]:
    return [{"measures": {f"{of}accuracy": value, f"{of}advantage": advantage}} for value in values]


def test_a_discriminator_that_is_always_right_is_told_once_and_its_end_once() -> None:
    monitor, changes = watch(accuracy(0.9, 1, 0.999, 1, 1, 1, 0.8, 1))
    assert changes == [(40, 1), (70, -1)]
    (finding,) = monitor.findings
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
    """Right on every sample of one domain and wrong on every other: an accuracy of exactly one half, repeatedly."""
    monitor, changes = watch(accuracy(0.7, 0.5, 0.5, 0.5, of="translation_adversarial.source_"))
    assert changes == [(40, 1)]
    assert "the discriminator of translation_adversarial.source has collapsed" in monitor.findings[0].what
    assert monitor.findings[0].until is None


def test_a_discriminator_that_was_fooled_is_well() -> None:
    """If the domains are indistinguishable, a constant output is optimal; its loss is that of guessing."""
    assert watch(accuracy(*[0.5] * 6, advantage=-0.01))[0].findings == []
    assert watch([{"measures": {"feature_adversarial.accuracy": 0.5}}] * 6)[0].findings == []


def test_a_critic_has_no_accuracy_and_is_not_judged_by_its_distance() -> None:
    assert watch([{"measures": {"translation_adversarial.source_distance": 1.0}}] * 5)[0].findings == []


def predicted(*shares: float, labelled: float | None = None, domain: str = "target") -> list[Line]:
    """Lines with these shares of the class car in the predictions, and optionally one in the labels."""
    lines = [{"predicted": {domain: {"road": 1 - share, **({"car": share} if share else {})}}} for share in shares]
    return lines if labelled is None else [{**line, "labelled": {"source": {"car": labelled}}} for line in lines]


def test_a_class_that_was_predicted_and_is_no_more_has_vanished() -> None:
    monitor, changes = watch(predicted(0.2, 0.1, 0.2, 0, 0, 0, 0, 0.1, 0))
    assert changes == [(60, 1), (80, -1)]
    assert monitor.findings[0].to_json() == {
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
    """Predicted in a third of the lines, or rare in the source."""
    assert watch(predicted(0, 0, 0.2, 0, 0, 0.2, 0, 0, 0, labelled=0.01))[0].findings == []
    assert watch(predicted(*[5e-4] * 6, 0, 0, 0))[0].findings == []


def test_a_class_that_labels_have_is_missed_though_it_was_never_predicted() -> None:
    """A class may take some lines to be learnt."""
    monitor, changes = watch(predicted(0, 0, 0, 0, 0, labelled=0.1))
    assert changes == [(40, 1)]
    assert monitor.findings[0].since == 10
    assert watch(predicted(0, 0, 0, 0.1, 0, labelled=0.1))[0].findings == []
    assert watch(predicted(0, 0, 0, 0, 0, labelled=0.04))[0].findings == []


def test_without_target_predictions_the_source_counts() -> None:
    monitor, _ = watch(predicted(0.2, 0.2, 0.2, 0, 0, 0, domain="source"))
    assert monitor.findings[0].what == "the class car is not predicted on the source"
    gone = predicted(0.2, 0.2, 0.2, 0, 0, 0, domain="source")
    both = [{"predicted": {**line["predicted"], "target": {"car": 0.2}}} for line in gone]
    assert watch(both)[0].findings == [], "the target takes precedence"


def test_an_oracle_is_told_of_the_target_which_has_its_labels() -> None:
    """Which alone it sees; logs of earlier versions call it the source."""
    for domain in ("target", "source"):
        seen = [{**line, "labelled": {domain: {"car": 0.1}}} for line in predicted(0, 0, 0, 0, 0, domain=domain)]
        assert watch(seen)[0].findings[0].what == f"the class car is not predicted on the {domain}"


def norms(*values: float | None, name: str = "generator", measure: str = "") -> list[Line]:
    measures = {"measures": {measure: 0.7}} if measure else {}
    return [{"gradients": {name: value}, **measures} for value in values]


def test_a_gradient_far_above_what_is_typical_explodes() -> None:
    """The typical norm is the geometric mean, between 1 and 3 here; exploding norms are left out of it."""
    monitor, changes = watch(norms(0.1, 10, 1, 1, 99, 1, 1, 1, 1, 1e9, 1, 1000, 1e9, 1e3, 5))
    assert changes == [(130, 1), (150, -1)]
    assert monitor.findings[0].to_json() == {
        "what": "the gradient of the generator explodes",
        "series": "gradients.generator",
        "since": 120,
        "until": 150,
    }


@pytest.mark.parametrize(("values", "name"), [
    ([1e-5] * 3 + [0.9] * 3, "generator"),  # below any clipping threshold
    ([1e-5] * 3 + [500.0] * 3, "generator.feature_adversarial"),  # a term that has just been switched on
])  # fmt: skip
def test_a_gradient_that_comes_to_life_is_no_explosion(values: list[float], name: str) -> None:
    assert watch(norms(*values, name=name))[0].findings == []


def test_a_norm_that_is_not_finite_explodes_from_the_first_line_on() -> None:
    assert watch(norms(None, None))[1] == [(20, 1)]
    assert watch(norms(None, 1, None))[0].findings == []


def test_a_gradient_that_grows_with_its_weight_is_well() -> None:
    assert watch(norms(*[number / 100 for number in range(100)]))[0].findings == []


def test_the_gradient_of_a_player_is_gone_when_it_is_next_to_nothing() -> None:
    monitor, changes = watch(norms(0, 1e-9, 0, 1e-9, 1e-3, name="discriminator"))
    assert changes == [(30, 1), (50, -1)]
    assert monitor.findings[0].what == "the gradient of the discriminator has vanished"
    assert watch(norms(*[1e-7] * 5))[0].findings == []


@pytest.mark.parametrize(("values", "measure", "changes"), [
    ((1, 0, 0, 0), "feature_adversarial.accuracy", [(40, 1)]),
    ((0, 0, 0, 0), "feature_adversarial.accuracy", []),  # it does not reach the last layers
    ((1, 0, 0, 0), "", []),  # a satisfied constraint
])  # fmt: skip
def test_a_terms_gradient_is_missed_only_if_it_plays_against_a_discriminator(
    values: tuple[float, ...], measure: str, changes: list[tuple[int, int]]
) -> None:
    assert watch(norms(*values, name="generator.feature_adversarial", measure=measure))[1] == changes


def test_lines_of_earlier_versions_are_read_and_give_no_verdict() -> None:
    assert watch([{"losses": {"generator.cycle": 1.0}, "learning_rate": {"generator": 0.1}}] * 9)[0].findings == []


@pytest.mark.parametrize("lines", [accuracy, predicted, norms])
def test_a_monitor_that_reads_the_log_again_goes_on_as_if_it_had_never_stopped(
    lines: Callable[..., list[Line]],
) -> None:
    values = [0.3, 0.5, 0.2, 1, 1, 1, 1, 0, 0, 0, 0, 0.5, 0.5, 0.5, 200, 300]
    made = [{"step": number, **line} for number, line in enumerate(lines(*values))]
    uninterrupted = HealthMonitor(LIMITS, made)
    assert uninterrupted.findings
    for cut in range(len(made)):
        again = HealthMonitor(LIMITS, made[:cut])
        for line in made[cut:]:
            again.read(line)
        assert again.findings == uninterrupted.findings
