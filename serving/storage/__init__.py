"""The database: tables, migrations, sessions, and the one helper for rows about people."""
