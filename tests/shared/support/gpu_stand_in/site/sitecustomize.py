"""Run by Python at its start where a test has put this directory on the path; see the package."""

from support.gpu_stand_in import put_in_child

put_in_child()
