"""What draws pictures of texts: a paid or local endpoint, or a directory of drawn ones."""
