"""Graphs that compute in fewer bits than the towers that they come from.

`half` halves the towers before they are exported. `static` puts 8-bit scales into a finished graph,
which `calibration` finds on pictures; `dynamic` leaves finding them to each run. `reduction` is the
choice between them. Whether the result will do is for `export.agreement` to say.
"""
