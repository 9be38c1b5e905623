"""When and in which order: Prefect flows, the franklin command, and the one module that starts processes."""
