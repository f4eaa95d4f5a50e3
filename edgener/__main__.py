"""`python -m edgener`, which is also how torchrun and accelerate launch start it."""

from edgener.cli.main import main

main()
