"""`python -m edgener`, also the entry point of torchrun and accelerate launch."""

from edgener.cli.main import main

main()
