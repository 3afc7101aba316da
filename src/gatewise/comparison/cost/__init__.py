"""What a trained network costs."""
