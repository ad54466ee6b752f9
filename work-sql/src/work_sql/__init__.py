"""work_sql."""
