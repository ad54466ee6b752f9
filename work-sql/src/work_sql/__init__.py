"""Jobs in SQLite, PostgreSQL, MySQL or MariaDB."""
