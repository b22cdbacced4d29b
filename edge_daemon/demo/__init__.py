"""The demo: scenes made on the spot, sent through a real daemon to a real receiver, and a page."""
