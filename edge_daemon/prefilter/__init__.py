"""From (image, prompt) to an image that keeps what the prompt asks for and is soft elsewhere."""
