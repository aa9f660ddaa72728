"""What is kept on disk. Takes tensors and JSON, knows no type of training."""
