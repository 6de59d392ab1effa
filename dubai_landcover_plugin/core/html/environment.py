"""The Jinja2 environment that renders every page and every generated XML file."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dubai_landcover_plugin.core.html.numbers import decimals, hectares, percent, thousands
from dubai_landcover_plugin.protocol.translation import direction, isolated, language, tr

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, folder: Path | None = None, **values: Any) -> str:
    """Return a rendered template.

    All values are escaped, whether they come from the program, a file or the user.

    Args:
        template: File name of the template.
        folder: Folder of further templates, searched first; these may extend and import those of this package.
        values: Variables of the template.

    Raises:
        jinja2.UndefinedError: if the template uses a variable or an attribute that is not given.
    """
    return environment(folder).get_template(template).render(values)


@lru_cache
def environment(folder: Path | None = None) -> Environment:
    """Return the environment of all templates; arguments as for :func:`render`."""
    # Most runs write only a raster.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([TEMPLATES] if folder is None else [folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    made.policies["ext.i18n.trimmed"] = True
    made.install_gettext_callables(tr, _plural, newstyle=True)  # type: ignore[attr-defined] # of the extension
    made.globals.update(language=language, direction=direction)
    made.filters.update(
        thousands=thousands,
        isolated=isolated,
        decimals=decimals,
        percent=percent,
        hectares=hectares,
        indented_json=_indented_json,
    )
    return made


def _plural(one: str, many: str, count: int) -> str:
    return tr(one if count == 1 else many)


def _indented_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
