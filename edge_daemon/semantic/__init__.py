"""Meaning in a few hundred bytes: texts that take a picture's place."""
