"""The documentation site; `make docs` builds it, without a network."""

from __future__ import annotations

import sys
from pathlib import Path

import tuningfork

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "Tuningfork"
author = "The Tuningfork developers"
copyright = author
version = release = tuningfork.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "sphinx_copybutton",
    "command_reference",
]
exclude_patterns = ["_build", "_ext", "**/.ipynb_checkpoints"]
nitpicky = True

# Markdown, as GitHub shows it too.
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# Tutorials are run once and kept until they change.
nb_execution_mode = "cache"
nb_execution_cache_path = str(HERE / "_build" / "notebooks")
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "remove"  # progress bars
nb_ipywidgets_js = {}  # nothing is fetched by a page

# The reference of the library.
autosummary_generate = True
autodoc_typehints = "none"  # types stand in the numpydoc sections
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
default_role = "literal"

html_theme = "furo"
html_title = "Tuningfork"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
templates_path = ["_templates"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b6aa2", "color-brand-content": "#0b6aa2"},
    "dark_css_variables": {"color-brand-primary": "#6cb8e6", "color-brand-content": "#6cb8e6"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
