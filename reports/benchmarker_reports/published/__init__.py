"""Published results, and those of a study beside them."""
