"""What docstrings say of a component and of its options, for lists, editors and reference pages."""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, get_args, is_typeddict

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n?|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^    ((?:\w+)(?:, \w+)*): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def summary(component: Any) -> str:
    """The first paragraph of a component's docstring, as one line; empty where there is none."""
    return " ".join((inspect.getdoc(component) or "").split("\n\n")[0].split())


def options(component: type | Callable[..., Any]) -> dict[str, str]:
    """What the docstring of a class or function says of each option: `Args:` and `Attributes:`, inherited ones too."""
    return {
        name: " ".join(text.split()).replace("`None`", "`null`")
        for docstring in _docstrings(component)
        for section in _SECTION.findall(inspect.cleandoc(docstring) + "\n")
        for names, text in _ENTRY.findall(section)
        for name in names.split(", ")
    }


def _docstrings(component: Any) -> Iterator[str]:
    """The docstrings that describe a component's options, the most specific last."""
    if is_typeddict(component):
        # Before Python 3.12 a TypedDict does not tell its bases, but their keys are among its own.
        for base in vars(sys.modules[component.__module__]).values():
            if is_typeddict(base) and base.__annotations__.keys() < component.__annotations__.keys():
                yield from _docstrings(base)
        yield component.__doc__ or ""
        return
    function = component.__init__ if inspect.isclass(component) else component
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        for kind in get_args(parameter.annotation) if parameter.kind is parameter.VAR_KEYWORD else ():
            yield from _docstrings(kind)
    for each in reversed(component.__mro__) if inspect.isclass(component) else ():
        yield each.__dict__.get("__doc__") or ""
    yield function.__doc__ or ""
