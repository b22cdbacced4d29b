"""Published models that a bundle can be made of, and how their checkpoints are had.

`catalogue` says what there is, `checkpoints` downloads one of them; turning it into a bundle is
`export`'s part. Nothing here is needed to use a bundle.
"""
