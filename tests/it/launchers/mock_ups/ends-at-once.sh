#!/bin/sh
# It starts nothing, and says that all is well.
exit 0
