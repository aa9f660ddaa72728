"""From batches to weights. Never files, never prints."""
