"""Programs that a model wrote, run in sandboxes in which they can do no harm."""
