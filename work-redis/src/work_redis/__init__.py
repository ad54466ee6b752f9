"""work_redis."""
