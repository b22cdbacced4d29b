"""Measurements, as ratios of things timed in one run."""
