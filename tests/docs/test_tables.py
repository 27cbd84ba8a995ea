"""The tables of methods, stages and pipelines match the code."""

import re

import yaml

from pipelines.definition import loading as pipelines
from pipelines.definition.schema import MethodConfig
from pipelines.networks import needed_networks
from segda.config import loading
from segda.config.lookup import module
from tests.docs import pages
from tests.structure.source import ROOT

PIPELINES = pages.text("docs/pipelines.md")


def methods() -> dict[str, MethodConfig]:
    paths = sorted(loading.shipped("methods").glob("*.yaml"))
    return {path.stem: MethodConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))) for path in paths}


def kind(method: MethodConfig) -> str:
    """The kind of stage that trains a method, by its terms."""
    if method.transfer:
        return "export"
    if set(method.terms) == {"classification"}:
        return "coral" if method.frozen else "supervise"
    return "align" if "head" in needed_networks(method) else "translate"


def methods_table() -> str:
    """The expected text between the markers of docs/methods.md."""
    head = ("method", "title", "terms: weight (options)", "encoder", "stage", "published")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, method in methods().items():
        terms = []
        for term, options in method.terms.items():
            rest = ", ".join(f"{key} {str(value).lower()}" for key, value in options.items() if key != "weight")
            terms.append(f"{term}: {options['weight']:g}" + (f" ({rest})" if rest else ""))
        if method.transfer:
            options = "".join(f", {key} {str(value).lower()}" for key, value in method.transfer.options.items())
            terms.append(f"none; transfer {method.transfer.name}{options}")
        encoder = {True: "one", False: "one per domain", "partly": "one, but first layers per domain"}[method.tied]
        encoder += f"; frozen: {', '.join(method.frozen)}" if method.frozen else ""
        cells = (f"`{name}`", method.title, "; ".join(terms), encoder, kind(method), method.source)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_methods_table_is_current() -> None:
    table = pages.text("docs/methods.md").partition("<!-- methods -->\n")[2].partition("\n<!-- end of methods -->")[0]
    assert table == methods_table(), f"put this between the markers:\n\n{methods_table()}\n"


def test_every_term_is_used_by_a_shipped_method() -> None:
    terms = {path.stem for path in (ROOT / "segda/objectives/terms").glob("[a-z]*.py")}
    assert terms == {term for method in methods().values() for term in method.terms}


def test_every_stage_has_a_row_with_its_outputs() -> None:
    for kind in pipelines.kinds():
        (row,) = re.findall(rf"^\| `{kind}` \|.*$", PIPELINES, re.MULTILINE)
        assert all(f"`{output}" in row for output in module("pipelines.stages", kind).OUTPUTS), kind


def test_every_shipped_pipeline_has_a_row() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", PIPELINES.partition("## Shipped pipelines")[2], re.MULTILINE)
    listed = re.findall(r"\w+", " ".join(rows))
    assert sorted(listed) == sorted(path.stem for path in loading.shipped("pipelines").glob("*.yaml"))
