#!/bin/sh
# Packets are neither let through nor refused.
shift 2
exec unshare -rn sh -c 'ip link set lo up && nft add table ip box &&
    nft "add chain ip box out { type filter hook output priority 0; policy drop; }" && exec "$@"' box "$@"
