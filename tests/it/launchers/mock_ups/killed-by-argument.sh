#!/bin/sh
# A filter ends the process for one value of an argument alone.
filter=$(dirname "$0")/../filter.py; shift 2
exec python3 "$filter" socket:0=17=kill -- "$@"
