"""A learned codec in a process of its own: CompressAI's Cheng 2020 models.

CompressAI's requirements contradict the daemon's, and torch has no place in its process. So
`make cheng2020` sets up an environment beside the daemon's, and a worker process codes there:

| file            | what                                                                          |
|-----------------|-------------------------------------------------------------------------------|
| `codec.py`      | the codec as the registry knows it: options, padding, cropping                |
| `bitstream.py`  | the container that travels: sizes, weights, latents check, CRC                |
| `weights.py`    | which file holds which trained model                                          |
| `resources.py`  | which Python, weights, threads and time-out this machine uses: `configure`    |
| `coder.py`      | pictures and bitstreams to the worker and back, failures as types             |
| `supervisor.py` | starts, feeds, times out, kills and restarts the worker                       |
| `process.py`    | one worker process, its streams and the frames on them                        |
| `worker/`       | the program in the other environment; imports nothing of ours                 |
"""

from edge_daemon.codecs.cheng2020.codec import Cheng2020
from edge_daemon.codecs.cheng2020.coder import close
from edge_daemon.codecs.cheng2020.resources import configure

__all__ = ["Cheng2020", "close", "configure"]
