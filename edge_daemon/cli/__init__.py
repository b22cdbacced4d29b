"""The command line: one small file for each kind of work."""

from edge_daemon.cli.app import main

__all__ = ["main"]
