"""Many trainings at once: what is varied, which points are trained together, and what came of them."""
