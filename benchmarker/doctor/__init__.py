"""Says what of a machine decides the bits of results, and what is wrong with it."""
