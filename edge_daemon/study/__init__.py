"""Experiments: what the bytes buy."""
