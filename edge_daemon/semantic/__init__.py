"""Meaning in a few hundred bytes: texts that take a picture's place.

`describer` puts together what the settings name. `refine` is the search: `refiners` propose texts,
the `critic` compares them with the picture as it sees it (`sight`; long texts in `chunks`),
`generators` draw them, and `trace` has the account with `notes` of what went wrong. `steering` puts
what is asked first, `cleaning` takes out what a text must not contain. `coding` is the bitstream:
a packed text, and perhaps `side` information on the layout.
"""
