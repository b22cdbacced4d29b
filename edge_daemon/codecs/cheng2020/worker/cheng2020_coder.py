"""CompressAI's models: pixels to entropy-coded latents and back."""

from __future__ import annotations

import importlib
import re
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

from cheng2020_arithmetic import give_threads, make_exact
from cheng2020_latents import Taps
from cheng2020_placeholders import PlaceholderFinder
from cheng2020_protocol import RequestError
from cheng2020_weights import digest_of, fill_untrained, read_tensors, stamp_of

_HELD_MODELS = 2  # a model of 192 channels with attention takes about 120 MB


class Model:
    """One model with its weights, ready to code."""

    def __init__(self, net: Any, digest: str) -> None:
        self.net, self.digest = net, digest


class Coder:
    """CompressAI, and the models that were used last."""

    def __init__(self, threads: int) -> None:
        sys.meta_path.insert(0, PlaceholderFinder())
        self._torch: Any = importlib.import_module("torch")
        self._numpy: Any = importlib.import_module("numpy")
        compressai: Any = importlib.import_module("compressai")
        self._google: Any = importlib.import_module("compressai.models.google")
        self._base: Any = importlib.import_module("compressai.models.base")
        waseda: Any = importlib.import_module("compressai.models.waseda")
        zoo: Any = importlib.import_module("compressai.zoo.pretrained")
        self._classes = {"anchor": waseda.Cheng2020Anchor, "attention": waseda.Cheng2020Attention}
        self._rename = zoo.load_pretrained
        self.versions = {"compressai": compressai.__version__, "torch": self._torch.__version__}
        self._taps = Taps(importlib.import_module("compressai.ans"))
        self._models: OrderedDict[tuple[Any, ...], Model] = OrderedDict()
        self._threads = threads
        self._torch.set_num_threads(1)
        self._torch.set_num_interop_threads(1)
        self._torch.use_deterministic_algorithms(True)
        self._torch.set_grad_enabled(False)

    def load(self, wanted: Any) -> Model:
        """The model of a request, from memory if it was used lately."""
        try:
            architecture, channels = str(wanted["architecture"]), int(wanted["channels"])
            weights, seed = wanted["weights"], wanted["seed"]
            make = self._classes[architecture]
        except (KeyError, TypeError, ValueError) as error:
            raise RequestError("request", f"no such model: {error!r}") from error
        stamp = None if weights is None else stamp_of(Path(weights))
        key = (architecture, channels, weights, stamp, seed)
        if key in self._models:
            self._models.move_to_end(key)
            return self._models[key]
        while len(self._models) >= _HELD_MODELS:
            self._models.popitem(last=False)
        net = make(channels)
        if weights is None:
            fill_untrained(net, int(seed))
        else:
            state = read_tensors(Path(weights), self._rename)
            try:
                net.load_state_dict(state)
            except Exception as error:  # missing keys, other shapes: torch has several types
                text = re.sub(r"\s+", " ", str(error))[:300]
                message = f"{weights} does not fit {architecture}, {channels} channels: {text}"
                raise RequestError("weights", message) from error
        digest = digest_of(net.state_dict())
        net.eval()
        make_exact(net)
        # Published weights carry the tables of the entropy coder, the same on every machine. Only
        # absent ones are computed, from scales that are not rounded before their last step.
        bounds = (self._base.SCALES_MIN, self._base.SCALES_MAX, self._base.SCALES_LEVELS)
        net.update(self._numpy.geomspace(*bounds))
        self._taps.install(self._google, net)
        give_threads(self._threads, net.g_a, net.g_s)
        self._models[key] = Model(net, digest)
        return self._models[key]

    def encode(
        self, model: Model, width: int, height: int, pixels: bytes
    ) -> tuple[str, bytes, bytes]:
        """The check of the latents, and z and y entropy-coded."""
        rgb = self._numpy.frombuffer(pixels, self._numpy.uint8).reshape(1, height, width, 3)
        self._taps.reset(_symbols(model.net.M, width, height))
        with self._torch.inference_mode():
            planes = self._torch.from_numpy(rgb.astype(self._numpy.float32) / 255)
            coded = model.net.compress(planes.permute(0, 3, 1, 2).contiguous())
        (y,), (z,) = coded["strings"]
        return self._taps.check(), z, y

    def decode(
        self, model: Model, width: int, height: int, check: str, z: bytes, y: bytes
    ) -> bytes:
        """RGB pixels; the latents are compared before they become pixels."""

        def compare(*_: object) -> None:
            found = self._taps.check()
            if found != check:
                raise RequestError("latents", f"latents {found} instead of {check}")

        self._taps.reset(_symbols(model.net.M, width, height))
        hook = model.net.g_s.register_forward_pre_hook(compare)
        # CompressAI makes the decoder's latents of the default type.
        self._torch.set_default_dtype(self._torch.float64)
        try:
            with self._torch.inference_mode():
                shape = (height // 64, width // 64)
                planes = model.net.decompress([[y], [z]], shape)["x_hat"][0]
                rgb = planes.mul(255).round().to(self._torch.uint8).permute(1, 2, 0)
                return rgb.contiguous().numpy().tobytes()
        finally:
            hook.remove()
            self._torch.set_default_dtype(self._torch.float32)
            self._torch.set_num_threads(1)  # the synthesis may not have got to it


def _symbols(channels: int, width: int, height: int) -> int:
    """Integers of y; those of z are fewer."""
    return channels * (width // 16) * (height // 16)
