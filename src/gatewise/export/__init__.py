"""Takes a trained network out of Gatewise: one description of what it computes, many targets."""
