#include <sqlite3.h>
#include <stddef.h>

// glibc's memmem, which takes linear time, under a name of ours: its own header hides it.
extern const void *firn_memmem(const void *haystack, size_t count, const void *needle, size_t needle_count)
    __asm__("memmem");

// SQLite's allocator with a bound on each piece that it hands out. Some of its functions (json_group_array) let a value
// grow in memory past SQLITE_LIMIT_LENGTH, which they look at only in the end.
enum { firn_sqlite_piece_max = 256 << 20 };

static inline sqlite3_mem_methods *firn_sqlite_plain(void) {
    static sqlite3_mem_methods methods;
    return &methods;
}

static inline void *firn_sqlite_malloc(int count) {
    return count > firn_sqlite_piece_max ? 0 : firn_sqlite_plain()->xMalloc(count);
}

static inline void *firn_sqlite_realloc(void *piece, int count) {
    return count > firn_sqlite_piece_max ? 0 : firn_sqlite_plain()->xRealloc(piece, count);
}

// Before any other use of SQLite in the process; sqlite3_config takes arguments that Swift cannot pass.
static inline int firn_sqlite_bound_pieces(void) {
    int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, firn_sqlite_plain());
    if (code != SQLITE_OK) return code;
    sqlite3_mem_methods bounded = *firn_sqlite_plain();
    bounded.xMalloc = firn_sqlite_malloc;
    bounded.xRealloc = firn_sqlite_realloc;
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &bounded);
}
