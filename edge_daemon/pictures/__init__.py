"""Pictures in: from file bytes or raw buffers to one form, with limits and typed errors.

Whatever arrives becomes uint8 (H, W, 3) in sRGB, upright, without alpha; what was done to get there
stands in `Picture.notes`. Sizes are checked against the limits before any pixel is decoded.
"""

from edge_daemon.pictures.files import open_picture
from edge_daemon.pictures.picture import Picture, PictureLimits
from edge_daemon.pictures.png import save_picture, to_png
from edge_daemon.pictures.raw import from_raw

__all__ = ["Picture", "PictureLimits", "from_raw", "open_picture", "save_picture", "to_png"]
