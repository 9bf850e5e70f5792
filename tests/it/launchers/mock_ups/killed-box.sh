#!/bin/sh
# No process can be made, and a filter ends the one that there is.
filter=$(dirname "$0")/../filter.py; shift 2
exec python3 "$filter" fork=1 socket:0=17=kill -- "$@"
