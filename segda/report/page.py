"""The report of a run: one self-contained page, and files of the table and the pictures next to it."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from segda.files import write_whole
from segda.label_space import LabelSpace
from segda.report import (
    charts,
    embedded,
    gap,
    health_figure,
    pictures,
    stage_graph,
    staircase,
    table,
    terminal,
    thumbnails,
)
from segda.report.pictures import PictureRow, Scene
from segda.report.table import Result
from segda.report.thumbnails import Tile


class StageState(NamedTuple):
    """A stage of the run.

    `state` is one word, such as "done"; `seconds` are those of all its restarts, `None` if the manifest does not say;
    `after` names the stages that it builds on.
    """

    name: str
    kind: str
    state: str
    seconds: float | None = None
    folder: str = ""
    after: Sequence[str] = ()


class DataState(NamedTuple):
    """A data set: its name, split and fingerprint, and the stages that read it."""

    name: str
    split: str
    fingerprint: str
    stages: Sequence[str]


class LeftOut(NamedTuple):
    """What a stage left out of a data set with `on_bad_file: skip`: the data set's field, and files with reasons."""

    stage: str
    field: str
    files: Sequence[tuple[str, str]]


class Agreement(NamedTuple):
    """How well an exported set kept its content, as `agreement.json` in its folder says.

    Attributes:
        stage: the export's name.
        mean: agreement of the predictions before and after translation; of either with the label, each in `[0, 1]`.
        classes: a class's name and the same three.
        worst: an image's key and the same three, worst first.
        pictures: of the worst.
        minimum: the least agreement that the config allows, if it says so.
        dropped: how many images were left out for it.
        ignored: share of the labelled pixels that are ignored since the translation lost them, if they are.
    """

    stage: str
    mean: Sequence[float | None]
    classes: Sequence[tuple[str, Sequence[float | None]]]
    worst: Sequence[tuple[str, Sequence[float | None]]]
    pictures: Sequence[PictureRow] = ()
    minimum: float | None = None
    dropped: int = 0
    ignored: float | None = None


class Illustration(NamedTuple):
    """A figure: its file's name without ending, its title, a caption of one or two sentences, and what to draw."""

    name: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class ReportContent:
    """All that a report shows. The page has no section for what is empty.

    Attributes:
        title: the run's name.
        space: the label space of pictures and scores.
        results: evaluated stages in the table's order; gains are over the first, the source-only one.
        seeds: the seed, or all seeds that the results are the mean of.
        created: date and time, for the reader.
        command: that started the run.
        stages: every stage of the run, in order.
        logs: a stage's name and its `log.jsonl`, for the curves.
        scenes: images of the target, with class maps as label and predictions before and after adaptation.
        predictions: images of the target whose label is one class, with lines that say what was predicted.
        translations: titled rows of images of either domain, in the other's look, and reconstructed.
        confused: names of the results whose confusion matrices are shown.
        agreements: of the exported sets.
        datasets: that the stages read.
        left_out: files that could not be read.
        illustrations: other figures, such as features in a plane.
        versions: names and versions of the software.
        usage: how to use the networks: a sentence, and commands or code.
    """

    title: str
    space: LabelSpace
    results: Sequence[Result] = ()
    seeds: Sequence[int] = ()
    created: str = ""
    command: str = ""
    stages: Sequence[StageState] = ()
    logs: Mapping[str, Path] = field(default_factory=dict)
    scenes: Sequence[Scene] = ()
    predictions: Sequence[Tile] = ()
    translations: Sequence[tuple[str, Sequence[Tile]]] = ()
    confused: Sequence[str] = ()
    agreements: Sequence[Agreement] = ()
    datasets: Sequence[DataState] = ()
    left_out: Sequence[LeftOut] = ()
    illustrations: Sequence[Illustration] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    usage: Sequence[tuple[str, str]] = ()


def write(folder: Path, content: ReportContent) -> list[Path]:
    """Write the report into an existing folder, each file whole or not at all, and return the files.

    These are `report.html`; `table.json`, `table.csv`, `table.txt` and `bars.png` if there are results; `gap.png` if
    an oracle is above the first; `pictures.png` of scenes, `predictions.png`, `samples.png` of translations; a PNG for
    each illustration.

    Raises:
        ArtefactError: the results are over different classes, or a file cannot be written.
        DataError: a picture is neither a photograph nor a class map.
    """
    files: dict[str, str | bytes] = {}
    scores = table.build(content.results) if content.results else None
    if scores is not None:
        files["table.json"] = json.dumps(table.to_json(scores), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        files["table.csv"] = table.to_csv(scores)
        files["table.txt"] = terminal.to_text(scores)
        files["bars.png"] = charts.to_png(charts.bars(scores))
        if (stairs := staircase.figure(scores)) is not None:
            files["gap.png"] = charts.to_png(stairs)
    if content.scenes:
        files["pictures.png"] = pictures.grid([scene.row() for scene in content.scenes], content.space)
    if content.predictions:
        files["predictions.png"] = thumbnails.grid(content.predictions)
    if content.translations:
        files["samples.png"] = thumbnails.rows(content.translations)
    files.update({f"{each.name}.png": charts.to_png(each.figure) for each in content.illustrations})
    files["report.html"] = render(content)
    for name, text in files.items():
        write_whole(folder / name, text.encode("utf-8") if isinstance(text, str) else text)
    return [folder / name for name in files]


def render(content: ReportContent) -> str:
    """The page: self-contained HTML with one script, which sorts tables, compares and enlarges pictures.

    Its content security policy forbids a browser to fetch anything or to run another script.
    """
    folder, space = Path(__file__).parent, content.space
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"percent": table.percent, "signed": table.signed, "tone": table.tone, "duration": duration}
    scores = table.build(content.results) if content.results else None
    trainings = [training for name, log in content.logs.items() if (training := _training(name, log, space))]
    script = (folder / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    stairs = staircase.figure(scores) if scores else None
    sections = {
        "pictures": "Before and after" if content.scenes or content.predictions else "",
        "scores": "Scores by class" if scores else "",
        "gap": f"The gap to {gap.oracle(scores)!r}" if scores and stairs else "",
        "translation": "Translation and reconstruction" if content.translations else "",
        **{figure.name: figure.title for figure in content.illustrations},
        "confusion": "Confusion" if content.confused else "",
        "agreement": "Label agreement" if content.agreements else "",
        "training": "Training" if trainings else "",
        "stages": "Stages" if content.stages else "",
        "left-out": "Files left out" if content.left_out else "",
        "protocol": "How it was measured" if content.results or content.versions or content.datasets else "",
        "usage": "Use the network" if content.usage else "",
    }
    return environment.get_template("page.html").render(
        content=content,
        style=Markup((folder / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        sections={id: title for id, title in sections.items() if title},
        scores=scores,
        legend=table.legend(scores) if scores else "",
        absent=table.ABSENT,
        verdict=gap.verdict(scores) if scores else "",
        best=gap.best(scores) if scores else None,
        oracles=scores.oracles if scores else (),
        stairs=_svg(stairs, "gap"),
        gap_notes=gap.notes(scores) if scores else [],
        bars=_svg(charts.bars(scores, legend=False) if scores else None, "bars"),
        bar_colours=[(name, charts.colour(index)) for index, name in enumerate(scores.columns)] if scores else [],
        confusions=[confusion(result) for result in content.results if result.name in content.confused],
        trainings=trainings,
        scenes=[embedded.scene(scene, space) for scene in content.scenes],
        predictions=embedded.tiles("", content.predictions, space),
        translations=[embedded.tiles(title, tiles, space) for title, tiles in content.translations],
        illustrations=[(each, _svg(each.figure, each.name)) for each in content.illustrations],
        agreements=[(one, [embedded.row(row, space) for row in one.pictures]) for one in content.agreements],
        colours=[(name, _css(colour)) for name, colour in pictures.legend(space)],
        ignored=_css(pictures.IGNORED),
        graph=stage_graph.to_svg([
            stage_graph.Node(stage.name, f"{stage.kind}, {duration(stage.seconds)}", stage.after)
            for stage in content.stages
        ]) if content.stages else "",
        protocol=_protocol(content.results),
        total=sum(stage.seconds or 0 for stage in content.stages),
    )  # fmt: skip


def _svg(figure: Figure | None, name: str) -> Markup:
    return Markup("" if figure is None else charts.to_svg(figure, name))


def _training(name: str, log: Path, space: LabelSpace) -> dict[str, Any] | None:
    """A stage's health and its curves; `None` if there is nothing in its log."""
    health, curves = health_figure.read(log), charts.curves(log)
    if health is None:
        return None
    return {
        "name": name, "health": health, "health_figure": _svg(health_figure.figure(health, space), f"health {name}"),
        "curves": _svg(curves, f"curves {name}"),
    }  # fmt: skip


def confusion(result: Result) -> dict[str, Any]:
    """A result's confusion over its seeds: of each label's pixels, the share that was predicted as each class.

    Returns:
        `name`, `classes`, and `rows`: one row a class of the label, all `None` where no pixel has that label.
    """
    counts = [evaluation["confusion"]["counts"] for evaluation in result.evaluations]
    total = [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*counts, strict=True)]
    return {
        "name": result.name,
        "classes": result.evaluations[0]["confusion"]["classes"],
        "rows": [[cell / sum(row) if sum(row) else None for cell in row] for row in total],
    }


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "45 s", "12 min 5 s", "3 h 20 min"; a dash for `None`."""
    if seconds is None:
        return table.ABSENT
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _css(colour: tuple[int, int, int]) -> str:
    return "rgb({}, {}, {})".format(*colour)


def _protocol(results: Sequence[Result]) -> dict[str, Any]:
    """The protocol: `common` lines where all results agree, `differing` columns with a value for each of `names`."""
    keys = dict.fromkeys(key for result in results for e in result.evaluations for key in e["protocol"])
    common, differing = [], []
    for key in keys:
        values = []
        for result in results:
            texts = [_readable(evaluation["protocol"].get(key)) for evaluation in result.evaluations]
            values.append("; ".join(dict.fromkeys(texts)))
        line = {"name": key.replace("_", " "), "code": key.endswith(("fingerprint", "fingerprints"))}
        if len(set(values)) == 1:
            common.append({**line, "value": values[0]})
        else:
            differing.append({**line, "values": values})
    return {"common": common, "differing": differing, "names": [result.name for result in results]}


def _readable(value: Any) -> str:
    """A protocol value as text for people."""
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, Mapping):
        # Of checksums of several files the first digits; `evaluation.json` has them all.
        parts = {name: part[:12] if re.fullmatch("[0-9a-f]{64}", str(part)) else part for name, part in value.items()}
        return ", ".join(f"{str(name).removesuffix('.safetensors')} {_readable(part)}" for name, part in parts.items())
    if isinstance(value, list | tuple):
        numbers = len(value) == 2 and all(isinstance(part, int) for part in value)
        return " × ".join(map(str, value)) if numbers else ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f")
    return str(value)
