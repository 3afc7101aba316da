"""Pages out of templates. What stands in a template's folder is found first, then what all templates share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gatewise import words

if TYPE_CHECKING:
    import jinja2

__all__ = ["render", "shared_css"]

_SHARED = Path(__file__).parent / "templates"


def render(folder: str | Path, name: str, **values: Any) -> Markup:
    """Fill in a template; every text is escaped, and a name that is not given is an error.

    ``{% from "macros.html" import key %}`` gives `key`, the sign of a model's colour; `model_table` a table with a
    row per model.

    Args:
        folder: where the template lies.
        name: its file name.
        **values: what it shows.
    """
    return Markup(_environment(Path(folder)).get_template(name).render(values))


def shared_css() -> Markup:
    """The style sheet of all pages."""
    return Markup((_SHARED / "page.css").read_text(encoding="utf-8"))


@cache
def _environment(folder: Path) -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _SHARED]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        percent=words.percent,
        duration=words.duration,
        confidence=words.confidence,
        count=words.count,
        p_value=words.p_value,
        sentence=words.sentence,
        number=words.number,
        unbroken=words.unbroken,
    )
    return environment
