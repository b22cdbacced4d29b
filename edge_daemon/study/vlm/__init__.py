"""Rate against a vision-language model's accuracy on benchmarks in VLMEvalKit's TSV files.

A file's questions (`questions`) become what is asked (`circular`, `prompts`); each picture passes
through every condition (`conditions`) before a model behind an OpenAI-compatible endpoint is asked
(`asking`). What it said is kept word by word (`answers`) and scored afterwards by the benchmarks'
own rules (`extraction`, `scoring`). `run` puts it together, `tables` writes it down.

Source of formats and rules: VLMEvalKit, Duan et al. 2024, arXiv:2407.11691, and its published code.
"""

from edge_daemon.study.vlm.run import Outcome, run_study

__all__ = ["Outcome", "run_study"]
