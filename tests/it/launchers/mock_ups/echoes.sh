#!/bin/sh
# What is said to it comes back.
exec cat
