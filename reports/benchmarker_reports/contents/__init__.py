"""What documents show, gathered once for all of them: plain values, no format."""
