"""Tagging of many texts: files of them with worker processes, Arrow batches, and the engines that are there already."""
