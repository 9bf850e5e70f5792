#!/bin/sh
# A filter says that every socket was made, and gives the number of the standard input.
filter=$(dirname "$0")/../filter.py; shift 2
exec python3 "$filter" socket=0 -- "$@"
