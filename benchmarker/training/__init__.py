"""Train one network on one training set, in an order that the harness controls."""
