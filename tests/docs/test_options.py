"""docs/options.md follows the requests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from dubai_landcover_plugin.protocol.requests.tasks import TASKS

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("options_page", ROOT / ".ci" / "options.py")
options_page = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(options_page)


def test_the_table_of_options_is_up_to_date():
    written = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert written == options_page.page(), "run 'make options'"


def test_every_option_of_every_tool_is_in_the_table():
    page = options_page.page()
    assert set(options_page.TOOLS) == set(TASKS)
    for task in TASKS.values():
        for item in task.request.described():
            assert f"| `{item.name}` |" in page
            assert item.option.help.replace("|", "\\|") in page
