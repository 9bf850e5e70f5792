#!/bin/sh
# A network of its own without any interface that is up.
shift 2
exec unshare -n -- "$@"
