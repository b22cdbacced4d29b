"""The figures as Markdown, by themselves and in a page between two markers."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from edge_daemon.bench.latency.results import Results
from edge_daemon.bench.latency.tables import Figures, tables_of
from edge_daemon.errors import SettingsError

BEGIN: Final = "<!-- What follows was written by `edge-daemon bench --page`. -->"
END: Final = "<!-- Here ends what was written by `edge-daemon bench --page`. -->"
_PLACES: Final = frozenset({"-o", "--output", "--page"})


def fragment(results: Results) -> str:
    """All tables, below a paragraph that says what they were measured on."""
    facts = results.facts
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    codecs = "; ".join(f"{name}: {encoder}" for name, encoder in facts["codecs"].items())
    command = _without_places(facts["command"])
    parts = [
        f"Measured on {facts['date'][:10]} with `{command}` on {facts['cores']} cores of "
        f"{facts['cpu']} ({facts['system']}), Python {facts['python']}, {packages}. Codecs: "
        f"{codecs}. {_ran_on(results)} Load of the machine before: {facts['load']:g}.",
        *(_section(table) for table in tables_of(results)),
        *(f"Not measured: {one}." for one in results.left_out),
    ]
    return "\n\n".join(parts) + "\n"


def _without_places(command: str) -> str:
    """A command line without where its results went: that is the affair of whoever gave it."""
    words = iter(shlex.split(command))
    kept: list[str] = []
    for word in words:
        option, joined, _ = word.partition("=")
        if option not in _PLACES:
            kept.append(word)
        elif not joined:
            next(words, None)
    return shlex.join(kept)


def _ran_on(results: Results) -> str:
    told: list[str] = []
    for runs_on in results.facts["runs_on"].values():
        bundle = runs_on["library"]
        told.append(
            f"{bundle['name']} ({bundle['precision']}) ran on {bundle['image']['backend']}, "
            f"backend {bundle['backend']}; smoothing on {runs_on['smoothing']}."
        )
    return " ".join(told)


def _section(table: Figures) -> str:
    words, figures = table.words, len(table.headings) - table.words
    lines = [
        _row(table.headings),
        _row([":---"] * words + ["---:"] * figures),
        *(_row(cells) for cells in table.rows),
    ]
    return f"### {table.title}\n\n" + "\n".join(lines) + f"\n\n{table.caption}"


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def check_page(page: Path) -> None:
    """Raise unless a page has room for the figures.

    Raises:
        SettingsError: It cannot be read, or has not both markers, once and in order.
    """
    _split(page)


def fill_page(page: Path, text: str) -> None:
    """Put text between the markers of a page, in place of what was there.

    Raises:
        SettingsError: See `check_page`.
    """
    before, after = _split(page)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def _split(page: Path) -> tuple[str, str]:
    """What stands before the first marker and after the second."""
    try:
        whole = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the page cannot be read: {error}", value=str(page), remedy="name a Markdown file"
        ) from None
    before, began, rest = whole.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (began and ended):
        raise SettingsError(
            "the page has no room for the figures",
            value=str(page),
            remedy=f"write these two lines into it:\n{BEGIN}\n{END}",
        )
    return before, after
