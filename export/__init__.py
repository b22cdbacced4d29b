"""Makes model bundles: a checkpoint becomes ONNX graphs, a tokenizer and a manifest.

The only package that knows torch; install the `export` extra for it. Nothing imports it at run
time.
"""
