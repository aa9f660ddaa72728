"""What files from strangers may hold: every limit on size, depth and count, in one place.

A file beyond a limit is refused before it takes time or memory. What a table, an array or a network takes has no limit
of its own: it is held against the memory that is free (memory.py, workflows/room.py).
"""

# --- configs -----------------------------------------------------------------------------------------------

MAX_CONFIG_BYTES = 1_000_000
MAX_CONFIG_DEPTH = 50
"""Lists and mappings in each other."""
MAX_CONFIG_VALUES = 20_000
MAX_DIGITS = 30
"""Of a number."""
MAX_BASES = 10
"""Configs that are each the base of the next."""
MAX_LAYERS = 10_000
"""Repeats written out."""
MAX_PARAMETERS = 2**40
"""Beyond this a network is refused before anything is built: a slip of the pen, not a plan."""

# --- data --------------------------------------------------------------------------------------------------

MAX_EXPANSION = 500
"""A file may hold so many times its own size, once that is more than HARMLESS_BYTES. Tables compress ten to fifty
times, deflate at its best a thousand times: only a file that was made to fill the memory does."""
HARMLESS_BYTES = 16 * 2**20
MAX_DEFLATED = 1032
"""Times that deflate makes anything smaller, at its very best."""
MAX_TABLE_HEADER_BYTES = 1 << 20
"""Of the line of a table that names its columns."""
MAX_ARRAY_HEADER_BYTES = 1 << 16
"""Of what stands in front of an array's values in an npz."""
MAX_DIMENSIONS = 32
"""Of an array. (The pixels of an image are limited by Pillow, to 2**28 / 3 and twice that.)"""

# --- run directories ---------------------------------------------------------------------------------------

MAX_HEADER_BYTES = 1 << 26
"""Of what stands in front of a checkpoint's tensors: config, fitted encoders, names and shapes."""
MAX_RECORD_BYTES = 1 << 24
"""Of run.json."""
MAX_JOURNAL_BYTES = 1 << 28
"""Of metrics.csv: some million epochs."""
MAX_JSON_LISTS = 1 << 19
"""Lists and mappings in a header or a record."""
MAX_JSON_VALUES = 1 << 21
"""Values in them."""
MAX_THREADS = 1024
