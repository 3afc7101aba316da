"""Recurrent layers; usable with nothing else of Gatewise."""
