"""What runs the image encoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge_daemon.settings.strict import Strict

EncoderBackend = Literal["auto", "cpu", "cuda", "openvino", "tensorrt"]


class EncoderSettings(Strict):
    """The image encoder's backend; its threads are `stages.encoder_threads`."""

    backend: EncoderBackend = Field(
        default="auto",
        description="'auto' takes the best backend that was seen to work with the bundle; one that "
        "is named here serves, or the daemon does not start",
    )
    engines: str | None = Field(
        default=None,
        min_length=1,
        description="directory of engines that TensorRT built on this machine; none: the bundle's",
    )
