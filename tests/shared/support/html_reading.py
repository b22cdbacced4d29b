"""A page as a strict reader sees it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

_VOID = {"meta", "img", "br", "wbr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.names: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)
        elif tag == "br":
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        last = self.open.pop()
        assert last == tag, f"</{tag}> closes <{last}>"

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if {"td", "th"} & {*self.open}:
            self.rows[-1][-1] += f" {data}"


class Html:
    """HTML that closes what it opens.

    Args:
        text: A page or a part of one.

    Raises:
        AssertionError: Elements are not nested, or are left open.
    """

    def __init__(self, text: str) -> None:
        reader = _Reader()
        reader.feed(text)
        reader.close()
        assert not reader.open, f"left open: {reader.open}"
        self._names = reader.names
        self.text = " ".join(" ".join(reader.words).split())
        """All words."""
        self.rows = [[" ".join(cell.split()) for cell in row] for row in reader.rows]
        """Cells of every row of every table."""

    def attributes(self, name: str) -> list[str]:
        """All values of an attribute."""
        return [value for _, found, value in self._names if found == name]

    @property
    def tags(self) -> set[str]:
        """Of all elements with an attribute."""
        return {tag for tag, _, _ in self._names}

    @property
    def files(self) -> list[str]:
        """What the page refers to, but for places in itself."""
        found = self.attributes("src") + self.attributes("href")
        return [one for one in found if not one.startswith("#")]


def read_page(page: Path) -> Html:
    """A page; its files have to lie beside it, and its places in itself have to be there."""
    html = Html(page.read_text(encoding="utf-8"))
    assert [one for one in html.files if not (page.parent / one).is_file()] == []
    places = {f"#{one}" for one in html.attributes("id")}
    assert {one for one in html.attributes("href") if one.startswith("#")} <= places
    return html
