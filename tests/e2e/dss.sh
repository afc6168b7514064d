#!/bin/sh
# dss.sh - memory from sbrk: in ordinary programs, and in one that moves the
# break itself.

. "${0%/*}/lib.sh"

where() { under "$1" "$PROG/heap_blocks" | tr '\n' ' '; }

check_eq 'dss:primary: blocks lie in the heap' \
	'small heap large heap others kept ' "$(where dss:primary)"
check_eq 'dss:secondary: mmap first' \
	'small map large map others kept ' "$(where dss:secondary)"
check_eq 'dss:disabled: no block in the heap' \
	'small map large map others kept ' "$(where dss:disabled)"
check_eq 'dss:primary,retain:false: others are left alone' \
	'small heap large heap others kept ' \
	"$(where dss:primary,retain:false,dirty_decay_ms:0)"
check 'a shell and its children under dss:primary' under dss:primary \
	sh -c 'for i in 1 2 3; do ls / | sort | wc -l; done'
if [ -x /usr/bin/python3 ]; then
	check 'python3 under dss:primary' under dss:primary \
		/usr/bin/python3 "$SRCDIR/tests/e2e/python_work.py" 1
else
	skip 'python3 under dss:primary: no python3'
fi
finish
