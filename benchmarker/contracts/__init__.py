"""What the core and its plugins promise each other: tasks, images, plugin descriptions and settings."""
