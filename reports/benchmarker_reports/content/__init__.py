"""What a study has to show, gathered once for every format: plain values, nothing about their layout."""
