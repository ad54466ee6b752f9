"""work_middleware."""
