"""Pictures of a run: what they are made of, which kinds there are, and how they become files."""
