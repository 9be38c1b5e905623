"""Starting ranks on machines, and starting them again."""
