#!/bin/sh
# On the host itself, a file of the workspace is swapped for a link to the file outside before the program starts.
W=$1; O=$2; shift 2
rm -f "$W/f"; ln -s "$O/secret" "$W/f"
exec bwrap --dev-bind / / -- "$@"
