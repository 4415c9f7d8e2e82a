"""Configuration of the book: Sphinx over the executed notebooks and the pages that `pages.py` writes."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.fileutil import copy_asset

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

import api_pages  # noqa: E402 - found through the line above
from ledger_page import breakable  # noqa: E402 - likewise
from tables import marked  # noqa: E402 - likewise

project = "emlib"
author = "The emlib authors"
release = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
copyright = author  # noqa: A001 - the name that Sphinx reads

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinxcontrib.bibtex",
    "numpydoc",
]

# The notebooks are executed by `make notebooks` and compared by `make test`; the book shows what they hold.
nb_execution_mode = "off"
nb_render_markdown_format = "myst"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "attrs_block"]
myst_heading_anchors = 3
# Anchors of equations are raw HTML that also works in JupyterLab; the tests of the book follow every link in the built
# pages. The other: the evidence of a claim, kept for `emlib.ledger`, stands beside its text.
suppress_warnings = ["myst.xref_missing", "mystnb.unknown_mime_type"]

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
numpydoc_show_class_members = False
autodoc_typehints = "none"  # numpydoc's sections say the types
add_module_names = False  # the title of the page says it

html_theme = "furo"
html_title = "emlib"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["ledger.js", "reachable.js"]
html_show_sphinx = False
html_copy_source = False  # the notebooks themselves lie beside their pages, for download
html_domain_indices = False
html_show_search_summary = False  # it would fetch pages, which browsers refuse to a book opened as a file
html_theme_options = {"top_of_page_buttons": []}
# One self-contained file of MathJax 3, copied from the installed package: no request leaves the page.
mathjax_path = "mathjax/tex-svg.js"
mathjax3_config = {"svg": {"fontCache": "global"}, "options": {"enableMenu": False}}
copybutton_exclude = ".linenos, .gp, .go"


SAVED = re.compile(r'figures\.save\(\s*\w+,\s*"([\w-]+)"')  # the name of a figure, as its cell writes it
TABLE = re.compile(r'<table border="1" class="dataframe">.*?</table>', re.DOTALL)
HEADING = re.compile("(?<=<h1>)[^<]+")
# A formula with the brackets before it and the mark, or the first letters of an ending, behind it.
TOUCHING = re.compile(r'[(\[“‘]*<span class="math notranslate nohighlight">[^<]*</span>[^\s<]{0,3}')


class PlainDisplayMath(SphinxTransform):
    """Hand displayed equations to MathJax as they are: Sphinx's own wrapping breaks a ``tag``."""

    default_priority = 900

    def apply(self, **_: Any) -> None:
        """Mark each displayed equation as one that is not to be wrapped."""
        for node in self.document.findall(nodes.math_block):
            text = f"\\[{node.astext().strip()}\\]"
            node.children = [nodes.Text(text)]
            node["no-wrap"] = node["nowrap"] = True


class CellAnchors(SphinxTransform):
    """Give each code cell an anchor with its execution count, for links such as ``page.html#cell-7``."""

    default_priority = 901

    def apply(self, **_: Any) -> None:
        """Add the anchors."""
        for cell in code_cells(self.document):
            if cell.get("exec_count") is not None:
                cell["ids"].append(f"cell-{cell['exec_count']}")


class FigureTexts(SphinxTransform):
    """Give each picture of a notebook the text under which its cell saved it, for readers who cannot see it."""

    default_priority = 902

    def apply(self, **_: Any) -> None:
        """Set the texts; a picture that was not saved keeps none, which the tests of the book refuse."""
        manifest = json.loads((ROOT / "figures" / "manifest.json").read_text(encoding="utf-8"))
        for cell in code_cells(self.document):
            pictures = list(cell.findall(nodes.image))
            names = SAVED.findall(cell.astext()) if pictures else []
            for picture, name in zip(pictures, names, strict=False):
                picture["alt"] = manifest[name]["alt"]


def code_cells(document: nodes.document) -> list[nodes.container]:
    """Return the code cells of a notebook."""
    return [node for node in document.findall(nodes.container) if "cell" in node.get("classes", [])]


def copy_files(app: Sphinx) -> None:
    """Copy what pages load or offer for download: the one file of MathJax, the notebooks, and the figures."""
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package sphinx-mathjax-offline is not installed; run `make setup`")
    source = Path(spec.origin).parent / "static" / "mathjax" / "tex-svg.js"
    copy_asset(str(source), str(Path(app.outdir) / "_static" / "mathjax"))
    for folder, suffixes in {"notebooks": {".ipynb"}, "figures": {".pdf", ".svg", ".png", ".json"}}.items():
        for path in sorted((ROOT / folder).iterdir()):
            if path.suffix in suffixes:
                copy_asset(str(path), str(Path(app.outdir) / folder))


def finish_page(
    _app: Sphinx, name: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None
) -> None:
    r"""Offer a notebook for download, take the ``\(`` out of titles that browsers show as text, and mend the HTML."""
    if name.startswith("notebooks/"):
        file = f"{name.removeprefix('notebooks/')}.ipynb"
        link = f'<p class="download"><a href="{file}" download>Download this notebook</a> ({file})</p>'
        context["body"] = context["body"].replace("</h1>", f"</h1>\n{link}", 1)
    context["body"] = mended(context.get("body", ""))
    if name.startswith(("api/", "_modules/")):
        context["body"] = HEADING.sub(lambda words: breakable(words[0]), context["body"], count=1)
    # A heading has a level.
    tree = context["furo_navigation_tree"]
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
    context["title"] = plain(context.get("title", ""))
    for neighbour in ("prev", "next"):
        if context.get(neighbour):
            context[neighbour]["title"] = plain(context[neighbour]["title"])


def mended(body: str) -> str:
    """Return the HTML of a page, its tables marked for the style sheet, its formulas kept at their marks."""
    body = TABLE.sub(lambda table: marked(table[0]), body)
    # Browsers would break a line between a formula, which is a picture, and its comma.
    body = TOUCHING.sub(r'<span class="together">\g<0></span>', body)
    # The links in listings stand on lines of their own, and their boxes begin new lines.
    body = re.sub(r'\n\n\n(?=<div class="viewcode-block")', "\n", body).replace("[docs]</a>\n", "[docs]</a>")
    return body.replace('role="list" class="citation-list"', 'class="citation-list"')  # a list holds list items only


def plain(title: str) -> str:
    r"""Return a title without the marks of its mathematics: ``\(M^N\)`` is ``M^N``."""
    return title.replace(r"\(", "").replace(r"\)", "")


def setup(app: Sphinx) -> None:
    """Register the transforms, the copying and the last touches."""
    app.add_transform(PlainDisplayMath)
    app.add_transform(CellAnchors)
    app.add_transform(FigureTexts)
    app.connect("builder-inited", copy_files)
    app.connect("autodoc-process-signature", api_pages.call)
    app.connect("autodoc-process-docstring", api_pages.members)
    app.connect("autodoc-skip-member", api_pages.skipped)
    app.connect("html-page-context", finish_page, priority=900)  # after the theme's own
    app.set_html_assets_policy("always")  # titles in the sidebar and the ledger hold mathematics too
