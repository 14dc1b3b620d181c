// Text-scanning kernels of the JSON decoder: SSE2, which every x86-64 has, with portable fallbacks.
//
// Every function may read up to 32 bytes past the byte it stops at, so the text must be followed by at least 64
// readable bytes. None writes past the room it is given.
#ifndef FIRN_CPLATFORM_SCAN_H
#define FIRN_CPLATFORM_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline uint16_t firn_load16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t firn_load32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t firn_load64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

/// True for a byte that ends a plain run of a JSON string: quote, backslash, control character, non-ASCII.
static inline int firn_json_is_special(uint8_t c) { return c == '"' || c == '\\' || c < 0x20 || c >= 0x80; }

#if defined(__SSE2__)
/// Bit i is set when byte i of the sixteen is special.
static inline uint32_t firn_json_special_mask(__m128i v) {
  __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
  __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
  __m128i low = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x1f)), _mm_set1_epi8(0x1f));
  // The sign bit of `v` itself marks the non-ASCII bytes.
  return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), _mm_or_si128(low, v)));
}
#endif

/// Copies plain string bytes from `p` to `d` until a special byte or until fewer than 16 bytes of `room` are left;
/// returns how many. The bytes of `d` behind the copied ones, up to `room`, are left undefined.
static inline size_t firn_json_copy_plain(const uint8_t *p, uint8_t *d, size_t room) {
  size_t i = 0;
#if defined(__SSE2__)
  for (; i + 16 <= room; i += 16) {
    __m128i v = _mm_loadu_si128((const __m128i *)(p + i));
    _mm_storeu_si128((__m128i *)(d + i), v);
    uint32_t mask = firn_json_special_mask(v);
    if (mask) return i + (size_t)__builtin_ctz(mask);
  }
#else
  for (; i + 16 <= room && !firn_json_is_special(p[i]); i++) d[i] = p[i];
#endif
  return i;
}

/// Length of the plain run at `p`. A special byte (a zero will do) must follow the text.
static inline size_t firn_json_plain_length(const uint8_t *p) {
  size_t i = 0;
#if defined(__SSE2__)
  for (;; i += 16) {
    uint32_t mask = firn_json_special_mask(_mm_loadu_si128((const __m128i *)(p + i)));
    if (mask) return i + (size_t)__builtin_ctz(mask);
  }
#else
  while (!firn_json_is_special(p[i])) i++;
  return i;
#endif
}

/// Bytes up to and including the last newline of the first `n`; 0 when there is none.
static inline size_t firn_behind_last_newline(const uint8_t *p, size_t n) {
  while (n > 0 && p[n - 1] != '\n') n--;
  return n;
}

/// True when the first `n` bytes are equal; both sides are readable for 16 bytes more.
static inline int firn_equal_padded(const uint8_t *a, const uint8_t *b, size_t n) {
#if defined(__SSE2__)
  for (;;) {
    __m128i x = _mm_loadu_si128((const __m128i *)a);
    __m128i y = _mm_loadu_si128((const __m128i *)b);
    uint32_t differ = ~(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(x, y)) & 0xffff;
    if (n <= 16) return (differ & ((1u << n) - 1)) == 0;
    if (differ) return 0;
    a += 16;
    b += 16;
    n -= 16;
  }
#else
  return memcmp(a, b, n) == 0;
#endif
}

/// Length (2 to 4) of the well-formed multi-byte UTF-8 sequence at `p`, 0 when it is ill-formed (Unicode table 3-7).
static inline unsigned firn_utf8_sequence(const uint8_t *p) {
  uint8_t a = p[0], b = p[1];
  if (a < 0xc2) return 0;
  if (a < 0xe0) return (b & 0xc0) == 0x80 ? 2 : 0;
  if (a < 0xf0) {
    if ((b & 0xc0) != 0x80 || (a == 0xe0 && b < 0xa0) || (a == 0xed && b >= 0xa0)) return 0;
    return (p[2] & 0xc0) == 0x80 ? 3 : 0;
  }
  if (a > 0xf4 || (b & 0xc0) != 0x80 || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b >= 0x90)) return 0;
  return (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80 ? 4 : 0;
}

/// Value of a hexadecimal digit, 0xff for any other byte.
static inline uint8_t firn_hex_digit(uint8_t c) {
  if ((uint8_t)(c - '0') < 10) return (uint8_t)(c - '0');
  uint8_t letter = (uint8_t)((c | 0x20) - 'a');
  return letter < 6 ? (uint8_t)(letter + 10) : 0xff;
}

/// Eight hexadecimal digits, the first the most significant; any bit of `*bad` is set when one is not a digit.
static inline uint32_t firn_hex8(const uint8_t *p, uint64_t *bad) {
  const uint64_t ones = 0x0101010101010101ull, top = ones << 7;
  uint64_t v = firn_load64(p);
  uint64_t low = v | ones * 0x20;
  // Digits keep their value under | 0x20; letters become lower case. All sums below stay within their byte.
  uint64_t m = low & ~top;
  uint64_t digit = (m + ones * (0x80 - '0')) & ~(m + ones * (0x80 - ':'));
  uint64_t letter = (m + ones * (0x80 - 'a')) & ~(m + ones * (0x80 - 'g'));
  // A control byte such as 0x10 would turn into '0' under | 0x20: those lack both bits 4-5 or bit 6 of the original.
  uint64_t plain = (v & ones * 0x20) << 2 | (v & ones * 0x40) << 1;
  *bad |= (~(digit | letter) | v | ~plain) & top;
  uint64_t n = (low & ones * 0x0f) + ((letter & top) >> 7) * 9;
  n = ((n << 4) | (n >> 8)) & 0x00ff00ff00ff00ffull;
  n = ((n << 8) | (n >> 16)) & 0x0000ffff0000ffffull;
  return (uint32_t)((n << 16) | (n >> 32));
}

/// Parses `8-4-4-4-12` hexadecimal digits into sixteen big-endian bytes; false when the text is anything else.
static inline int firn_parse_uuid(const uint8_t *p, uint8_t *out) {
  uint8_t digits[32];
  memcpy(digits, p, 8);
  memcpy(digits + 8, p + 9, 4);
  memcpy(digits + 12, p + 14, 4);
  memcpy(digits + 16, p + 19, 4);
  memcpy(digits + 20, p + 24, 12);
  uint64_t bad = (uint64_t)(p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-');
  for (int i = 0; i < 4; i++) {
    uint32_t word = __builtin_bswap32(firn_hex8(digits + 8 * i, &bad));
    memcpy(out + 4 * i, &word, 4);
  }
  return bad == 0;
}

static inline uint8_t firn_base64_digit(uint8_t c) {
  if ((uint8_t)((c & 0xdf) - 'A') < 26 && (c & 0x40)) return c >= 'a' ? (uint8_t)(c - 'a' + 26) : (uint8_t)(c - 'A');
  if ((uint8_t)(c - '0') < 10) return (uint8_t)(c - '0' + 52);
  return c == '+' ? 62 : c == '/' ? 63 : 0xff;
}

/// Decodes padded standard base64 (RFC 4648 section 4) into `out`, which holds n / 4 * 3 bytes; returns the length,
/// or -1 for a wrong length, alphabet, padding or non-zero trailing bits.
static inline ptrdiff_t firn_base64_decode(const uint8_t *p, size_t n, uint8_t *out) {
  if (n % 4) return -1;
  size_t length = 0;
  for (size_t i = 0; i < n; i += 4) {
    int last = i + 4 == n;
    int pad = last ? (p[i + 3] == '=') + (p[i + 3] == '=' && p[i + 2] == '=') : 0;
    uint8_t a = firn_base64_digit(p[i]), b = firn_base64_digit(p[i + 1]);
    uint8_t c = pad == 2 ? 0 : firn_base64_digit(p[i + 2]), d = pad ? 0 : firn_base64_digit(p[i + 3]);
    if ((a | b | c | d) & 0x80) return -1;
    if ((pad == 2 && (b & 15)) || (pad == 1 && (c & 3))) return -1;
    uint32_t word = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | d;
    out[length++] = (uint8_t)(word >> 16);
    if (pad < 2) out[length++] = (uint8_t)(word >> 8);
    if (pad < 1) out[length++] = (uint8_t)word;
  }
  return (ptrdiff_t)length;
}

/// 10^n for n in 0...19.
static inline uint64_t firn_pow10_u64(size_t n) {
  static const uint64_t powers[20] = {
      1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull,
      10000000000ull, 100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull,
      10000000000000000ull, 100000000000000000ull, 1000000000000000000ull, 10000000000000000000ull};
  return powers[n];
}

/// 10^n for n in 0...22: the powers of ten that a double holds exactly.
static inline double firn_pow10_double(size_t n) {
  static const double powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  return powers[n];
}

#endif
