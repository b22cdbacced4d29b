"""Tasks x methods x codecs x qualities: run in parallel, kept as they come, told on a page."""
