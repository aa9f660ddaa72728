"""What the user wrote: frozen specs, read from YAML with the place of every value. Never torch, never builds."""
