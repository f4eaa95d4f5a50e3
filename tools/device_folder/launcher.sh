#!/bin/sh
# Runs the runtime in this folder with the device's own Python; start.py checks that the device fits.
here=$(readlink -f -- "$0") && here=${here%/*}
for name in python@PYTHON@ python3; do
    if python=$(command -v "$name"); then exec "$python" "$here/start.py" "$@"; fi
done
echo "error: this device has no Python on its PATH, and this folder needs Python @PYTHON@
  Install it; on Debian and Ubuntu: apt-get install python@PYTHON@" >&2
exit 6
