// Helpers that Swift's Glibc overlay hides or that need an instruction set it does not expose.
// Everything here is `static inline`, so a call from Swift costs nothing.
#ifndef FIRN_CPLATFORM_H
#define FIRN_CPLATFORM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "CPlatformScan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline int firn_errno(void) { return errno; }

static inline int firn_open(const char *path, int flags, unsigned mode) { return open(path, flags, (mode_t)mode); }

/// Names the calling thread; Linux keeps 15 bytes.
static inline void firn_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

/// Nanoseconds of CPU time this process has used.
static inline int64_t firn_process_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

#if defined(__x86_64__)
static inline int firn_has_sse42(void) { return __builtin_cpu_supports("sse4.2"); }

/// CRC-32C (Castagnoli) by the SSE 4.2 instruction; `crc` is the running value before the final complement.
__attribute__((target("sse4.2"))) static inline uint32_t firn_crc32c_hw(uint32_t crc, const uint8_t *p, size_t n) {
  uint64_t c = crc;
  while (n >= 8) {
    uint64_t v;
    memcpy(&v, p, 8);
    c = _mm_crc32_u64(c, v);
    p += 8;
    n -= 8;
  }
  uint32_t r = (uint32_t)c;
  while (n--) r = _mm_crc32_u8(r, *p++);
  return r;
}
#else
static inline int firn_has_sse42(void) { return 0; }
static inline uint32_t firn_crc32c_hw(uint32_t crc, const uint8_t *p, size_t n) { (void)p; (void)n; return crc; }
#endif

/// Freed memory of up to `kept` bytes stays with the process, and allocations of up to 32 MiB come from it.
static inline void firn_keep_freed_memory(int kept) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, kept);
  mallopt(M_TOP_PAD, 16 << 20);
}

#endif
