#!/bin/sh
# Gives its program nothing to read.
W=$1; shift 2
exec bwrap --ro-bind / / --dev /dev --proc /proc --bind "$W" "$W" --unshare-all --cap-drop ALL -- "$@" </dev/null
