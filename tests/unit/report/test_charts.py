"""Charts: what they draw of a log and of a table, and that they change no setting of matplotlib."""

import io
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from PIL import Image

from segda.report.charts import bars, curves, read_log, to_png, to_svg
from segda.report.table import Result, build
from tests.unit.report.scored_runs import accuracy

Make = Callable[..., dict[str, Any]]


def entry(step: int, **losses: float) -> str:
    return json.dumps({"step": step, "seconds": 1.0, "losses": losses, "measures": {"accuracy.target": 0.5}})


def test_the_last_entry_of_a_step_counts_and_broken_lines_are_skipped(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    entries = [entry(0, cycle=4), entry(1, cycle=3), entry(2, cycle=9), entry(2, cycle=2), entry(3, cycle=float("nan"))]
    log.write_text("\n".join([*entries, "[1]", '{"losses": {}}', '{"step": 4, "losses": {"cyc']))
    assert read_log(log) == {
        "cycle": [(0, 4.0), (1, 3.0), (2, 2.0)],
        "accuracy.target": [(0, 0.5), (1, 0.5), (2, 0.5), (3, 0.5)],
    }


def test_curves_have_a_chart_for_each_loss_and_the_true_mean_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(entry(step, **{"generator.cycle": step % 2 * 2.0}) for step in range(1000)))
    figure = curves(log)
    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["generator: cycle", "accuracy: target"]
    steps, values = figure.axes[0].lines[0].get_data()
    assert len(steps) == 300
    assert steps[0] == 0
    assert abs(sum(values) / 300 - 1) < 0.05


def test_no_log_no_curves(tmp_path: Path) -> None:
    assert curves(tmp_path / "absent.jsonl") is None
    (tmp_path / "log.jsonl").write_text("")
    assert curves(tmp_path / "log.jsonl") is None


def test_bars_stand_at_the_scores_and_absent_classes_have_none(evaluation: Make) -> None:
    figure = bars(build([Result("a", [evaluation(2)]), Result("b", [evaluation(6), evaluation(8)])]))
    axes: Axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mIoU", "road", "car", "sky"]
    widths = [[round(bar.get_width(), 1) for bar in container] for container in axes.containers]
    assert [len(column) for column in widths] == [3, 3]
    assert (widths[0][1], widths[1][1]) == (20.0, 70.0)
    spans = [sorted(line.get_xdata()) for line in axes.lines if len(set(line.get_ydata())) == 1]
    assert [60.0, 80.0] in [[round(float(x), 1) for x in span] for span in spans], "a line spans the seeds"


def test_bars_of_accuracies_say_so() -> None:
    axes: Axes = bars(build([Result("a", [accuracy(70)])])).axes[0]
    assert axes.get_xlabel() == "accuracy in percent"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["accuracy", "zero", "one"]


def test_svg_is_well_formed_takes_the_pages_colour_and_is_the_same_every_time(evaluation: Make) -> None:
    classes = ("<script>alert(1)</script>", "$x$", "a & b")
    table = build([Result("<b> $y$", [evaluation(2, classes=classes)])])
    before = dict(matplotlib.rcParams)
    texts = [to_svg(bars(table), "bars") for _ in range(2)]
    assert dict(matplotlib.rcParams) == before
    assert texts[0] == texts[1]
    assert "<script" not in texts[0]
    assert "currentColor" in texts[0]
    words = "".join(ElementTree.fromstring(texts[0]).itertext())
    assert "<script>alert(1)</script>" in words
    assert "$x$" in words
    assert "<b> $y$" in words


def test_png_has_the_size_of_its_figure(evaluation: Make) -> None:
    figure = bars(build([Result("a", [evaluation(2)])]))
    width, height = figure.get_size_inches()
    image = Image.open(io.BytesIO(to_png(figure, resolution=100)))
    assert image.size == (int(width * 100), int(height * 100))


def test_learning_rates_are_curves_and_share_one_where_the_players_do(tmp_path: Path) -> None:
    def log(discriminator: float) -> Path:
        rates = [{"generator": 0.2 / step, "discriminator": discriminator / step} for step in (1, 2)]
        path = tmp_path / "log.jsonl"
        path.write_text("\n".join(json.dumps({"step": n, "learning_rate": rate}) for n, rate in enumerate(rates)))
        return path

    assert read_log(log(0.2)) == {"learning_rate": [(0, 0.2), (1, 0.1)]}
    assert read_log(log(0.4)) == {
        "learning_rate.generator": [(0, 0.2), (1, 0.1)],
        "learning_rate.discriminator": [(0, 0.4), (1, 0.2)],
    }
    figure = curves(log(0.4))
    assert figure is not None
    assert figure.axes[1].get_title(loc="left") == "learning rate: discriminator"
