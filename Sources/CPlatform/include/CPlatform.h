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
#include <sys/syscall.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "CPlatformNet.h"
#include "CPlatformScan.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline int firn_errno(void) { return errno; }

// glibc's sem_clockwait, under a name of ours: its own header cannot be imported here.
extern int firn_sem_clockwait(void *semaphore, int clock, const struct timespec *deadline) __asm__("sem_clockwait");

static inline int firn_open(const char *path, int flags, unsigned mode) { return open(path, flags, (mode_t)mode); }

static const int firn_o_direct = O_DIRECT;

/// Lets a file go through the page cache again; 0 when it did already.
static inline int firn_stop_direct(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags != -1 && (flags & O_DIRECT) && fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0;
}

/// Opens a file without a name in a folder, so that it is gone with its last descriptor, whatever ends the process.
/// Where the file system cannot do that, one with a name that is removed at once.
int firn_open_unnamed(const char *folder);

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
    c = _mm_crc32_u64(c, firn_load64(p));
    p += 8;
    n -= 8;
  }
  uint32_t r = (uint32_t)c;
  while (n--) r = _mm_crc32_u8(r, *p++);
  return r;
}

/// The same, three streams of 1 KiB at a time: the instruction takes three cycles, but one can begin in each. The first
/// two streams' remainders are carried over what follows them by a multiplication with x^(8 * distance - 33) mod P.
__attribute__((target("sse4.2,pclmul"))) static inline uint32_t firn_crc32c_fast(
    uint32_t crc, const uint8_t *p, size_t n) {
  const __m128i over1 = _mm_cvtsi64_si128(0x170076fa), over2 = _mm_cvtsi64_si128(0xa51b6135);
  for (; n >= 3 * 1024; p += 3 * 1024, n -= 3 * 1024) {
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < 1024; i += 8) {
      a = _mm_crc32_u64(a, firn_load64(p + i));
      b = _mm_crc32_u64(b, firn_load64(p + 1024 + i));
      c = _mm_crc32_u64(c, firn_load64(p + 2048 + i));
    }
    __m128i carried = _mm_xor_si128(
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)a), over2, 0),
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)b), over1, 0));
    crc = (uint32_t)(_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(carried)) ^ c);
  }
  return firn_crc32c_hw(crc, p, n);
}

static inline int firn_has_pclmul(void) { return __builtin_cpu_supports("pclmul"); }

/// Carries a remainder of 128 bits over the distance that the two multipliers in `k` stand for, and adds what lies
/// there.
__attribute__((target("pclmul,sse4.2"))) static inline __m128i firn_fold(__m128i x, __m128i next, __m128i k) {
  __m128i low = _mm_clmulepi64_si128(x, k, 0x00);
  __m128i high = _mm_clmulepi64_si128(x, k, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// CRC-32 (the gzip polynomial) by carry-less multiplication: four lanes of 16 bytes are folded 64 bytes on, then into
/// one, and the last 128 bits are reduced. `crc` is the running value before the final complement; `n` is a multiple
/// of 16, at least 64. The multipliers are x^k mod P for the distances, bit-reflected.
///
/// Method: Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel, 2009.
__attribute__((target("pclmul,sse4.2"))) static inline uint32_t firn_crc32_hw(
    uint32_t crc, const uint8_t *p, size_t n) {
  const __m128i *in = (const __m128i *)p;
  const __m128i low32 = _mm_setr_epi32(-1, 0, -1, 0);
  __m128i k = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  __m128i a = _mm_xor_si128(_mm_loadu_si128(in), _mm_cvtsi32_si128((int)crc));
  __m128i b = _mm_loadu_si128(in + 1), c = _mm_loadu_si128(in + 2), d = _mm_loadu_si128(in + 3);
  for (in += 4, n -= 64; n >= 64; in += 4, n -= 64) {
    a = firn_fold(a, _mm_loadu_si128(in), k);
    b = firn_fold(b, _mm_loadu_si128(in + 1), k);
    c = firn_fold(c, _mm_loadu_si128(in + 2), k);
    d = firn_fold(d, _mm_loadu_si128(in + 3), k);
  }
  k = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  a = firn_fold(firn_fold(firn_fold(a, b, k), c, k), d, k);
  for (; n >= 16; in++, n -= 16) a = firn_fold(a, _mm_loadu_si128(in), k);
  // 128 bits to 64, then Barrett's reduction to 32.
  a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, k, 0x10));
  b = _mm_srli_si128(a, 4);
  a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low32), _mm_cvtsi64_si128(0x0163cd6124), 0x00), b);
  k = _mm_set_epi64x(0x01f7011641, 0x01db710641);
  b = _mm_clmulepi64_si128(_mm_and_si128(a, low32), k, 0x10);
  b = _mm_clmulepi64_si128(_mm_and_si128(b, low32), k, 0x00);
  return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, b), 1);
}
#else
static inline int firn_has_pclmul(void) { return 0; }
static inline uint32_t firn_crc32_hw(uint32_t crc, const uint8_t *p, size_t n) { (void)p; (void)n; return crc; }
static inline int firn_has_sse42(void) { return 0; }
static inline uint32_t firn_crc32c_hw(uint32_t crc, const uint8_t *p, size_t n) { (void)p; (void)n; return crc; }
static inline uint32_t firn_crc32c_fast(uint32_t crc, const uint8_t *p, size_t n) { (void)p; (void)n; return crc; }
#endif

/// Reserves space that reads as zeros and makes the file that long; 0 or an error number.
static inline int firn_allocate(int fd, int64_t offset, int64_t count) {
  while (fallocate(fd, 0, (off_t)offset, (off_t)count) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

/// Raises the calling thread's nice value by that much: Linux keeps one per thread. The bare calls, since the header of
/// their wrappers clashes with Swift's module of the C library; the one that reads answers 20 less the value.
static inline void firn_lower_thread(int by) {
  long tid = syscall(SYS_gettid), rest = syscall(SYS_getpriority, 0, tid);
  if (rest > 0) syscall(SYS_setpriority, 0, tid, 20 - rest + by);
}

/// Freed memory of up to `kept` bytes stays with the process, and allocations of up to 32 MiB come from it.
static inline void firn_keep_freed_memory(int kept) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, kept);
  mallopt(M_TOP_PAD, 16 << 20);
}

#endif
