"""Reads studies back: their run folders become tidy rows, and the rows a leaderboard."""
