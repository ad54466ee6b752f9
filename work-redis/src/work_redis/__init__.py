"""Jobs in Redis: a backend of work, opened by its URL."""
