"""How the documentation is built: `sphinx-build -W docs docs/_build`."""

import gatewise

project = "Gatewise"
author = "The Gatewise authors"
copyright = "2026, The Gatewise authors"
version = release = gatewise.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "deflist", "attrs_inline", "colon_fence"]
myst_heading_anchors = 4
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
html_theme = "furo"
html_title = "Gatewise"
html_static_path = ["_static"]
suppress_warnings = ["myst.header"]  # the tours come from the README, where they stand a level deeper
exclude_patterns = ["_build"]
