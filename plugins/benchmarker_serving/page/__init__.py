"""A page for people: draw galaxies, classify an image, and look at a leaderboard in a browser."""
