"""Lock files with hashes, and their audit."""
