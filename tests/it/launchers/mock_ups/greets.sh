#!/bin/sh
# It prints the command, and does not run it.
shift 2
echo "welcome"; echo "would run: $*"
