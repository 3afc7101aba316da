"""From a raw file to checked records, leak-free splits and batches."""
