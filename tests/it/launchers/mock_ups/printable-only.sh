#!/bin/sh
# Lets nothing but printable characters and line breaks out.
W=$1; shift 2
bwrap --ro-bind / / --dev /dev --proc /proc --bind "$W" "$W" --unshare-all --cap-drop ALL -- "$@" |
    stdbuf -o0 tr -cd '\n\040-\176'
