import pytest

from segda.errors import ConfigError
from segda.objectives.weight import Ramp, dann_schedule, weight_at


def test_dann_schedule_by_hand() -> None:
    assert dann_schedule(0.0) == 0
    assert dann_schedule(0.1) == pytest.approx(0.46211715726)
    assert dann_schedule(1.0) == pytest.approx(0.99990920426)


def test_constant_weight_ignores_progress() -> None:
    assert [weight_at(0.1, progress) for progress in (0.0, 0.5, 1.0)] == [0.1] * 3


def test_linear_ramp_grows_then_stays() -> None:
    ramp = Ramp("linear", to=0.4, over=0.5)
    assert [weight_at(ramp, progress) for progress in (0.0, 0.25, 0.5, 0.9)] == pytest.approx([0, 0.2, 0.4, 0.4])


def test_dann_ramp_follows_its_schedule_within_its_share() -> None:
    assert weight_at(Ramp("dann", to=2.0, over=0.5), 0.05) == pytest.approx(2 * dann_schedule(0.1))
    assert weight_at(Ramp("dann", to=2.0, over=0.5), 0.8) == pytest.approx(2 * dann_schedule(1.0))


@pytest.mark.parametrize("over", [0.0, -1.0, 1.5])
def test_over_is_a_share_of_training(over: float) -> None:
    with pytest.raises(ConfigError, match="weight.over: found"):
        Ramp("linear", to=1.0, over=over)
