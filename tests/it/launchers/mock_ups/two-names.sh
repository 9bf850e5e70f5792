#!/bin/sh
# The folder outside is covered under its own name, and shown under a second one.
O=$2; shift 2
exec bwrap --ro-bind / / --ro-bind / /mnt --dev /dev --proc /proc --tmpfs "$O" --unshare-pid -- "$@"
