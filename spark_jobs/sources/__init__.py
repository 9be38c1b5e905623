"""Files and tables to datasets: one module for each source, and the readers that they share."""
