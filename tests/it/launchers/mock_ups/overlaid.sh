#!/bin/sh
# The folder outside lies under an overlay: what is read is the host's, what is written stays in memory.
O=$2; shift 2
exec unshare -m sh -c 'O=$1; shift; mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work &&
    mount -t overlay -o "lowerdir=$O,upperdir=/mnt/upper,workdir=/mnt/work" none "$O" && exec "$@"' box "$O" "$@"
