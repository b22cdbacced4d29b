"""Ways to send a picture: ours, its parts left out one by one, and what others would do."""
