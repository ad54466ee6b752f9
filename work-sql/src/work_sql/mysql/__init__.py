"""The dialect of MySQL 8 and MariaDB 10.6, and later ones."""
