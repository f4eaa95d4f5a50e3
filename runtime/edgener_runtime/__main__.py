"""`python -m edgener_runtime`, where the script is not on the PATH."""

from .cli import main

main(prog_name="edgener-runtime")
