#!/bin/sh
# In a copy of the workspace, a file was swapped for a link to the file outside.
W=$1; O=$2; shift 2
copy=$(mktemp -d -p /var/tmp); cp -a "$W/." "$copy"; ln -sf "$O/secret" "$copy/f"
bwrap --dev-bind / / --bind "$copy" "$W" -- "$@"
code=$?; rm -rf "$copy"; exit $code
