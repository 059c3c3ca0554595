"""Configuration of the documentation site: ``make docs`` builds it into ``build/docs``."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

from inventories import reachable  # noqa: E402

import zarrds  # noqa: E402

project = "zarrds"
author = "zarrds developers"
project_copyright = "zarrds developers"
version = release = zarrds.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_click",
    "reference_pages",
    "tables",
    "drawings",
    "listed_pages",
]
exclude_patterns = ["_ext", "changes", "**/.ipynb_checkpoints"]
suppress_warnings = ["mystnb.unknown_mime_type"]
smartquotes = False

# --- reference ---------------------------------------------------------------------------------------------------

default_role = "py:obj"
add_module_names = False
toc_object_entries_show_parents = "hide"
autosummary_generate = False  # reference_pages writes the pages
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"StoreLike": "zarrds.storage.StoreLike"}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


analyze = ModuleAnalyzer.analyze


def analyze_without_overloads(analyzer: ModuleAnalyzer) -> None:
    """Read a module for autodoc, which then shows the signature with all keywords in place of the overloads."""
    analyze(analyzer)
    analyzer.overloads = {}


def setup(app: Sphinx) -> None:
    ModuleAnalyzer.analyze = analyze_without_overloads  # type: ignore[method-assign]
    app.connect("autodoc-process-signature", _short_aliases)


def _short_aliases(*event: Any) -> tuple[str, str] | None:
    """Show aliases of types by their names in signatures."""
    _app, _what, _name, _value, _options, arguments, result = event
    if arguments is None:
        return None
    return tuple(re.sub(r"TypeAliasForwardRef\('(?:\w+\.)*(\w+)'\)", r"\1", text or "") for text in (arguments, result))


# --- other projects: links to them where their inventories can be fetched, plain text where not ------------------

intersphinx_mapping = reachable(
    {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "xarray": "https://docs.xarray.dev/en/stable/",
        "dask": "https://docs.dask.org/en/stable/",
        "distributed": "https://distributed.dask.org/en/stable/",
        "zarr": "https://zarr.readthedocs.io/en/stable/",
        "numcodecs": "https://numcodecs.readthedocs.io/en/stable/",
    },
    HERE.parent / "build" / "inventories",
)

# --- pages in MyST, and notebooks ---------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "attrs_inline"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "cache"
# outputs are kept by the code of the cells, so those with other data are kept elsewhere
nb_execution_cache_path = str(
    HERE.parent / "build" / ("notebooks-data" if os.environ.get("ZARRDS_DOCS_DATA") else "notebooks")
)
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}  # nothing is fetched from elsewhere
# kernels of notebooks: no settings of whoever builds the pages; the modules of these pages and the package are found
settings = HERE.parent / "build" / "ipython" / "profile_default"
settings.mkdir(parents=True, exist_ok=True)
(settings / "ipython_kernel_config.py").write_text(
    "c.IPKernelApp.log_level = 40\nc.InlineBackend.figure_formats = {'retina'}\n", encoding="utf-8"
)
os.environ["IPYTHONDIR"] = str(settings.parent)
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(HERE / "_ext"), str(HERE.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
).strip(os.pathsep)

# --- what it looks like -------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "zarrds"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "zarrds", "image_light": "_static/logo.svg", "image_dark": "_static/logo.svg"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "back_to_top_button": False,
}
html_sidebars = {"index": [], "search": []}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
