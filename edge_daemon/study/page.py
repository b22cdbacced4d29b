"""HTML pages of studies: one file with its style inside, pictures beside it, no scripts."""

from __future__ import annotations

from html import escape
from typing import Final

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --less: #2a94;
--more: #d543 }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 90rem;
padding: 0 1.5rem }
h1 { margin-bottom: .2rem } h2, h3 { border-top: 1px solid var(--line); padding-top: 1rem }
p, li { max-width: 60rem } .notice { background: var(--soft);
border-left: 4px solid #c80; padding: .6rem 1rem }
.strip { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(30rem, 1fr)); gap: 1rem }
.charts.wide { grid-template-columns: repeat(auto-fill, minmax(min(44rem, 100%), 1fr)) }
figure { margin: 0 } img { width: 100%; display: block; border-radius: 4px }
.charts img { background: #fff }
figcaption { font-size: .85rem; padding-top: .2rem }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .9rem; border-bottom: 1px solid var(--line); text-align: right;
vertical-align: top } th:first-child, td:first-child, .text { text-align: left }
td.text { max-width: 40rem } pre { background: var(--soft); padding: 1rem; overflow-x: auto }
.methods th, .methods td { padding: .3rem .45rem; white-space: nowrap } small { opacity: .8 }
.methods .text { max-width: 19rem; white-space: normal; overflow-wrap: anywhere }
.methods small { display: block } sup { line-height: 0; margin-left: .2em }
.less { background: var(--less) } .more { background: var(--more) }
.wrap { overflow-x: auto } summary { cursor: pointer } .crop { image-rendering: pixelated }
.notes, details table { font-size: .85rem } .views { display: grid; gap: 1.2rem 1rem;
grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)) } .views img { margin-bottom: .3rem }
"""


def document(title: str, body: str) -> str:
    """A whole page.

    Args:
        title: In the browser's frame; text.
        body: HTML.
    """
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge_daemon: {escape(title)}</title><style>{_STYLE}</style></head><body>
{body}
</body></html>
"""


def figure(caption: str, file: str) -> str:
    """A picture that leads to itself.

    Args:
        caption: Below it, and in its place where it cannot be seen; text.
        file: Relative to the page.
    """
    return (
        f'<figure><a href="{escape(file)}"><img src="{escape(file)}" loading="lazy" '
        f'alt="{escape(caption)}"></a><figcaption>{escape(caption)}</figcaption></figure>'
    )
