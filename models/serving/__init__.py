"""The model that is logged: raw rows in, predictions out, the same in Python, in Spark and over HTTP."""
