"""From a raw file to checked records, leak-free splits and batches."""

from gatewise.data.batches import Batch, Ragged, ordered_batches, shuffled_batches
from gatewise.data.cache import cache_folder
from gatewise.data.records import DatasetInfo, Labels, Split, TextDataset
from gatewise.data.tables import read_table
from gatewise.data.vocabulary import Vocabulary

__all__ = [
    "Batch",
    "DatasetInfo",
    "Labels",
    "Ragged",
    "Split",
    "TextDataset",
    "Vocabulary",
    "cache_folder",
    "ordered_batches",
    "read_table",
    "shuffled_batches",
]
