"""The site's configuration: `make docs` builds it into docs/_build, without network; warnings are errors."""

import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from segda import __version__  # noqa: E402
from tools import reference  # noqa: E402

reference.write(DOCS / "reference")

project = "segda"
author = "The segda developers"
copyright = f"{author}, Apache-2.0"  # noqa: A001
version = release = __version__
html_title = "segda"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "package_index.md"]
suppress_warnings = ["myst.strikethrough"]

# The pages are read on GitHub, too: anchors as it makes them, and directives in fences that it shows as text.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

# In docstrings, names and formulas stand between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
add_module_names = False
napoleon_use_ivar = True

highlight_language = "text"

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "logo": {"text": "segda"},
    "navbar_persistent": [],  # the search field stands in the sidebar
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
}
html_copy_source = False
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"


def as_paragraphs(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Let what a term's file says of equation, source and gradients stand in paragraphs of their own."""
    if what == "module":
        for index in reversed(range(len(lines))):
            if lines[index].startswith(("Source:", "**Gradients:**")):
                lines.insert(index, "")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", as_paragraphs)
