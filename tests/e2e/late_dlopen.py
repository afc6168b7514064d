# late_dlopen.py - opens libstrata (argv[1]) in a running Python by ctypes,
# allocates and frees with it beside Python's own malloc, in threads too, and
# writes a profile into argv[2] ("-": none).
import ctypes
import os
import sys
import threading

libc = ctypes.CDLL(None)
strata = ctypes.CDLL(sys.argv[1], mode=ctypes.RTLD_LOCAL)
for library in (libc, strata):
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.realloc.restype = ctypes.c_void_p
    library.realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    library.free.restype = None
    library.free.argtypes = [ctypes.c_void_p]
usable = strata.malloc_usable_size
usable.restype = ctypes.c_size_t
usable.argtypes = [ctypes.c_void_p]


def work(blocks):
    for size in list(range(1, 3000, 7)) + [1 << 20, 5 << 20]:
        p = strata.malloc(size)
        assert p and usable(p) >= size, size
        ctypes.memset(p, 0x5A, size)
        p = strata.realloc(p, 2 * size)
        assert ctypes.string_at(p, size) == b"\x5a" * size
        blocks.append(p)
    for p in blocks[::2]:
        strata.free(p)
    del blocks[::2]


kept = [[] for _ in range(5)]
threads = [threading.Thread(target=work, args=(k,)) for k in kept[1:]]
for t in threads:
    t.start()
work(kept[0])
for t in threads:
    t.join()

# A block of another allocator is recognized, not followed. (If libstrata is
# preloaded as well, there is no other.)
block = libc.malloc(100)
preloaded = "libstrata" in os.environ.get("LD_PRELOAD", "")
assert (usable(block) == 0) != preloaded, usable(block)
strata.free(block)

if sys.argv[2] != "-":
    name = ctypes.c_char_p(sys.argv[2].encode())
    status = strata.mallctl(b"prof.dump", None, None, ctypes.byref(name),
                            ctypes.c_size_t(8))
    assert status == 0, status

held = sum(usable(p) for k in kept for p in k)
for k in kept:
    for p in k:
        strata.free(p)
print("held", held)
