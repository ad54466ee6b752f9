"""work_core."""
