"""What a trained network does and why: numbers, no pictures, no files."""
