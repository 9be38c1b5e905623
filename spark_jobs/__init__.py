"""Data in, feature set out: Spark jobs, each a process of its own."""
