"""The receiving end: envelopes in, PNG files and a log of JSON lines out.

What was acknowledged is on disk: the picture in place under its final name, and its line in the
log, both synced. A frame is in the log once, however often it was sent.
"""

from edge_daemon.cloud.decoding import decode_envelope, text_of
from edge_daemon.cloud.receiver import Receiver, run

__all__ = ["Receiver", "decode_envelope", "run", "text_of"]
