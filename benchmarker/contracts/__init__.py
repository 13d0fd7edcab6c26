"""The contracts between core and plugins: tasks, images, plugin descriptions and settings."""
