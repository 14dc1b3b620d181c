#include <sqlite3.h>
#include <stddef.h>

// glibc's memmem, which takes linear time, under a name of ours: its own header hides it.
extern const void *firn_memmem(const void *haystack, size_t count, const void *needle, size_t needle_count)
    __asm__("memmem");
