#!/bin/sh
# Takes all input before it starts anything, and gives all output when it has ended.
W=$1; shift 2
input=$(mktemp); output=$(mktemp)
cat >"$input"
bwrap --ro-bind / / --dev /dev --proc /proc --bind "$W" "$W" --unshare-all --cap-drop ALL -- "$@" <"$input" >"$output"
code=$?
cat "$output"; rm -f "$input" "$output"
exit $code
