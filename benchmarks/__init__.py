"""Side-by-side measurements: each one command, each printing a table and a JSON line."""
