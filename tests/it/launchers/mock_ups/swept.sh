#!/bin/sh
# The folder outside is a copy inside, and somebody removes everything from the host's at the same time.
O=$2; shift 2; exec 3<&0
copy=$(mktemp -d -p /var/tmp); cp -a "$O/." "$copy"
(sleep 0.4; while sleep 0.05; do find "$O" -mindepth 1 -delete; done) >/dev/null 2>&1 <&- &
sweeper=$!
bwrap --dev-bind / / --bind "$copy" "$O" -- "$@" <&3
kill $sweeper; rm -rf "$copy"
