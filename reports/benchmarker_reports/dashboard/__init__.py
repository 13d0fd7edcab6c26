"""A page that shows a study while it runs: progress, learning curves, the leaderboard so far, and images by class."""
