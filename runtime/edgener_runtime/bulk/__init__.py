"""Tagging of many texts: files with worker processes, Arrow batches, and engines such as Ray, Spark and Dask."""

from .engines import BatchTagger, tag_batches

__all__ = ["BatchTagger", "tag_batches"]
