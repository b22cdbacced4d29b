"""Trains `nano-icons`, the embedded default bundle: a text-image model that knows icons.

`python -m export.nano` is the one command. In the order the data flows: `icons` fetches and
renders open-licence icon sets, `concepts` names what they show, `drawn` adds shapes and signs,
`backgrounds` and `composites` make training pictures, `model` holds the towers, `text` the words,
`train` fits them, `evaluate` measures, `checkpoint` hands the result to the export door.
"""
