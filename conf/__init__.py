"""What a person changes (YAML), the tree that it must fit, and the contracts between rooms."""
