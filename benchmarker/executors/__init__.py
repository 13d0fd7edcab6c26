"""Run the cells of a study elsewhere: their tasks, what was submitted, and how far it is."""
