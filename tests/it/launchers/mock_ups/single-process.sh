#!/bin/sh
# A user of its own that may have one process.
shift 2
exec setpriv --reuid 4711 --regid 4711 --clear-groups prlimit --nproc=1 "$@"
