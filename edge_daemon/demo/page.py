"""The demo's HTML page: for each picture and prompt, what was sent and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What one codec spent on one picture at one quality setting.

    Attributes:
        codec: Name and quality, as shown.
        plain_bytes: Bitstream of the unfiltered picture.
        smooth_bytes: Bitstream of the smoothed picture at the same quality.
        quantiser_bytes: Bitstream of the unfiltered picture with relevance spent on the codec's own
            quantiser; `None` where the codec cannot.
    """

    codec: str
    plain_bytes: int
    smooth_bytes: int
    quantiser_bytes: int | None

    def saving_percent(self, count: int) -> float:
        """Share of the plain bitstream's bytes that a bitstream of `count` bytes saves."""
        return 100.0 * (1.0 - count / self.plain_bytes)


@dataclass(frozen=True)
class Words:
    """A text in a picture's place.

    Attributes:
        text: As the cloud has it.
        bitstream_bytes: Of the packed text.
        envelope_bytes: Of all that crossed the link as payload.
    """

    text: str
    bitstream_bytes: int
    envelope_bytes: int


@dataclass(frozen=True)
class Pair:
    """One picture with one prompt, after its journey.

    Attributes:
        title: What to call it.
        prompt: As the camera sent it.
        distilled: As the text encoder saw it.
        width: Of the source, pixels.
        height: Of the source, pixels.
        source_bytes: The file that the camera sent.
        kept_percent: Share of the source's pixels that reached the encoder bit for bit.
        costs: One for each codec.
        words: The same frame in mode "semantic".
        stages_ms: Milliseconds per stage, in the order of travel, of the first codec's frame.
        images: Caption to file, relative to the page.
    """

    title: str
    prompt: str
    distilled: str
    width: int
    height: int
    source_bytes: int
    kept_percent: float
    costs: tuple[Cost, ...]
    words: Words
    stages_ms: dict[str, float]
    images: dict[str, str]

    def bits_per_pixel(self, count: int) -> float:
        """Bits per source pixel of a bitstream of `count` bytes."""
        return 8.0 * count / (self.width * self.height)


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --good: #2a8a4a; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 110rem;
padding: 0 1.5rem }
h1 { margin-bottom: .2rem } h2 { margin: 3rem 0 .3rem; border-top: 1px solid var(--line);
padding-top: 1.5rem } .lead { max-width: 60rem } .notice { background: var(--soft);
border-left: 4px solid #c80; padding: .6rem 1rem; max-width: 60rem }
.strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .8rem }
figure { margin: 0 } img { width: 100%; display: block; border-radius: 4px }
figcaption { font-size: .85rem; opacity: .8; padding-top: .2rem }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .9rem; border-bottom: 1px solid var(--line); text-align: right }
th:first-child, td:first-child { text-align: left } .saving { color: var(--good); font-weight: 600 }
q { font-style: italic } .tables { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: start }
"""


def write_page(pairs: list[Pair], notice: str, file: Path) -> None:
    """Write the page.

    Args:
        pairs: In the order to show them.
        notice: The bundle's warning, shown at the top; may be empty.
        file: Where to; the pairs' images are relative to its folder.
    """
    warning = f'<p class="notice">{escape(notice)}.</p>' if notice else ""
    body = "\n".join(_section(pair) for pair in pairs)
    file.write_text(
        f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>edge_daemon: what the prompt keeps</title><style>{_STYLE}</style></head><body>
<h1>What the prompt keeps</h1>
<p class="lead">Each picture went through a camera client, the daemon and the cloud receiver, all
separate processes on this machine. Same codec, same quality setting, with and without the
prefilter: relevance spent on smoothing, or on the codec's own quantiser where it takes a map, which
keeps more of the context for the same bytes. Click a picture for its full size.</p>
{warning}
{body}
</body></html>
""",
        encoding="utf-8",
    )


def _section(pair: Pair) -> str:
    figures = "".join(
        f'<figure><a href="{escape(image)}"><img src="{escape(image)}" loading="lazy" '
        f'alt="{escape(caption)}"></a><figcaption>{escape(caption)}</figcaption></figure>'
        for caption, image in pair.images.items()
    )
    costs = "".join(
        f"<tr><td>{escape(cost.codec)}</td><td>{cost.plain_bytes:,}</td>"
        f"<td>{pair.bits_per_pixel(cost.plain_bytes):.3f}</td>"
        f"{_coded(pair, cost, cost.smooth_bytes)}{_coded(pair, cost, cost.quantiser_bytes)}</tr>"
        for cost in pair.costs
    )
    stages = "".join(
        f"<tr><td>{escape(stage)}</td><td>{ms:.1f}</td></tr>"
        for stage, ms in pair.stages_ms.items()
    )
    return f"""<h2>{escape(pair.title)}: <q>{escape(pair.prompt)}</q></h2>
<p>Distilled to <b>{escape(pair.distilled)}</b>. {pair.width}&times;{pair.height} pixels,
{pair.source_bytes:,} bytes as the camera sent it; {pair.kept_percent:.1f}&nbsp;% of the source
pixels reached the encoder bit for bit when it was smoothed.</p>
<p>In words, {pair.words.bitstream_bytes:,} bytes
({pair.bits_per_pixel(pair.words.bitstream_bytes):.5f} bits per source pixel; with all that crosses
the link, {pair.words.envelope_bytes:,}): <q>{escape(pair.words.text)}</q></p>
<div class="strip">{figures}</div>
<div class="tables"><table><tr><th>codec</th><th>bytes, plain</th><th>bits per source pixel</th>
<th>bytes, smoothed</th><th>bits per source pixel</th><th>saved</th>
<th>bytes, by the quantiser</th><th>bits per source pixel</th><th>saved</th></tr>{costs}</table>
<table><tr><th>stage</th><th>ms</th></tr>{stages}</table></div>"""


def _coded(pair: Pair, cost: Cost, count: int | None) -> str:
    """The cells of one bitstream: bytes, rate, and what it saves."""
    if count is None:
        return "<td></td><td></td><td></td>"
    return (
        f"<td>{count:,}</td><td>{pair.bits_per_pixel(count):.3f}</td>"
        f'<td class="saving">{cost.saving_percent(count):.1f}&nbsp;%</td>'
    )
