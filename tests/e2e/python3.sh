#!/bin/sh
# python3.sh - a real script under Debian's python3, by its own small-object
# allocator and, with PYTHONMALLOC=malloc, with every object from malloc.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
export PYTHONHASHSEED PYTHONDONTWRITEBYTECODE
script=$SRCDIR/tests/e2e/python_work.py

same "python3" python3 -I "$script" 3

PYTHONMALLOC=malloc
export PYTHONMALLOC
modes="off default fine"
same "python3, all objects from malloc" python3 "$script" 1
modes=exact
same "python3, all objects from malloc" python3 "$script" 0
finish
