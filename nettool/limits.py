"""What files from strangers may hold: every limit on size, depth and count, in one place.

A file beyond a limit is refused before it takes time or memory. What a table or an array takes once it is read is no
limit of its own: it is held against the memory that is free (nettool.data.memory).
"""

# --- checkpoints -------------------------------------------------------------------------------------------

MAX_HEADER_BYTES = 1 << 26
"""Of what stands in front of the tensors: config, fitted encoders, names and shapes."""
MAX_HEADER_LISTS = 1 << 18
"""Lists and mappings in it."""
