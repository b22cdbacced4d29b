"""`python -m kernels`: say which smoothing backends this installation has."""

import sys

import kernels

for name, status in kernels.backends().items():
    sys.stdout.write(f"{name}: {status}\n")
