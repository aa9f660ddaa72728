"""From layer specs to a network: shapes by arithmetic, modules, losses. Never files."""
