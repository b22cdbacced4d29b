"""From (image, prompt) to an image that keeps what the prompt asks for and is soft elsewhere.

`prompt` distils what to look for, `scoring` shows the picture to the encoder (in the tiles that
`tiling` cuts from the scoring canvas, or as a whole), `relevance` turns similarities
into relevance, `allocation` relevance into sigma, `smoothing` sigma into pixels; `assembly` is all
of that behind one call, `report` the account of it and `heatmap` that account as a picture.
`repeats` spares a camera's unchanged tiles the encoder, `silence` tells how much of what matters
changed since its last frame that was sent; `signature` is what both compare.
"""

from edge_daemon.prefilter.assembly import Prefilter
from edge_daemon.prefilter.plan import Plan, Scores
from edge_daemon.prefilter.report import Report

__all__ = ["Plan", "Prefilter", "Report", "Scores"]
