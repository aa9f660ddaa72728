"""From files to arrays: sources, columns, splits, encoders. Never models."""
