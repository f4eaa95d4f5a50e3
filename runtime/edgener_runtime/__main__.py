"""`python -m edgener_runtime`, where the script is not on the PATH."""

from edgener_runtime.cli.main import main

main(prog_name="edgener-runtime")
