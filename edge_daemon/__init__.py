"""Prompt-guided image compression at the edge."""
