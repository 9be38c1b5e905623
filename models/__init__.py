"""Everything that learns: feeds, networks, strategies, training, evaluation, search."""
