"""Check a dataset before anything is trained: copies, neighbours on the sky, labels, balance and odd images."""
