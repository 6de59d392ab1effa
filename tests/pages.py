"""How tests read HTML pages: tags, attributes and texts as a browser would see them."""

from __future__ import annotations

from html.parser import HTMLParser

HOSTILE = "\"'><script>alert(1)<img src=x onerror=alert(2)>&amp;{{ 7 * 7 }}{% if %}$\\frac$"
"""Text that shows up as tags, attributes, entities or template code wherever it is not escaped."""


class ParsedPage(HTMLParser):
    """A page as a browser reads it.

    Attributes:
        tags: Each tag with the names of its attributes.
        texts: Texts and values of attributes.
        links: Values of attributes that a browser loads.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.texts += [value for _, value in attrs if value]
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def occurrences(self, text: str) -> int:
        """How often a text occurs, in what is shown and in attributes."""
        return sum(part.count(text) for part in self.texts)


def assert_self_contained(page: ParsedPage, allowed: tuple[str, ...] = ()) -> None:
    """Assert that a page runs no script and loads nothing from outside; links in ``allowed`` may be followed."""
    names = [name for name, _ in page.tags]
    assert not {"script", "iframe", "object", "embed", "link", "base", "form"} & set(names)
    assert not [attribute for _, attributes in page.tags for attribute in attributes if attribute.startswith("on")]
    assert not [link for link in page.links if not link.startswith(("data:image/", "#", *allowed))]
    assert any("default-src 'none'" in text for text in page.texts)
