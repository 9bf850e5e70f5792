#!/bin/sh
# The workspace inside is a copy, which is carried back every second and at the end.
W=$1; shift 2; exec 3<&0
copy=$(mktemp -d -p /var/tmp); cp -a "$W/." "$copy"
(while sleep 1; do cp -a "$copy/." "$W/"; done) >/dev/null 2>&1 <&- &
carrier=$!
unshare -m sh -c 'mount --bind "$1" "$2"; shift 2; exec "$@"' box "$copy" "$W" "$@" <&3
kill $carrier; cp -a "$copy/." "$W/"; rm -rf "$copy"
