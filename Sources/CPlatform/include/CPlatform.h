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

#include "CPlatformNet.h"
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
#endif

/// Freed memory of up to `kept` bytes stays with the process, and allocations of up to 32 MiB come from it.
static inline void firn_keep_freed_memory(int kept) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, kept);
  mallopt(M_TOP_PAD, 16 << 20);
}

#endif
