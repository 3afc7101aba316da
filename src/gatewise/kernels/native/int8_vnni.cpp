// The products of int8.h in bytes with AVX-512 VNNI, whose one instruction makes 64 products and adds them to 16 sums; and
// rows of bytes.
#include "int8.h"
#include "product_tiles.h"

#if defined(__AVX512BW__) && (defined(__clang__) || __GNUC__ >= 10)
#define GATEWISE_VNNI 1
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512vnni")
#endif
#include "int8_bytes.h"
#endif

namespace gatewise {

#if defined(GATEWISE_VNNI)
namespace {

// All slots of a segment for some rows.
template <int Rows, unsigned Used>
GATEWISE_INLINE void add_rows(const Segment& segment, int row, float* out, long row_stride, long slot_stride) {
  constexpr int used = count(Used);
  float* to[4];
  places<Used>(out + row * row_stride, slot_stride, to);
  const long quads = segment.length - 2, half = int8_half(quads);
  const float* const* rows = segment.rows + row;
  ByteSums<Rows, used> low{}, high{};
  add_quads<Rows, used>(low, high, rows, segment.weights, used, 0, quads, half);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < used; ++s)
      add_scaled(low[r][s], high[r][s], rows[r][half - 16], segment.weights + s * W, used, to[s] + r * row_stride);
}

// Groups of rows for which all slots' sums fit the registers: three rows of four slots, else four.
template <int Rows, unsigned Used>
GATEWISE_INLINE void add_segment(const Segment& segment, float* out, long row_stride, long slot_stride) {
  if (segment.length == 0) return;
  constexpr int most = count(Used) == 4 ? 3 : 4, groups = (Rows + most - 1) / most;
  constexpr int low = Rows / groups, high = low + 1, tall = Rows - groups * low;
  int row = 0;
#pragma GCC unroll 3
  for (int g = 0; g < tall; ++g, row += high) add_rows<high, Used>(segment, row, out, row_stride, slot_stride);
#pragma GCC unroll 3
  for (int g = tall; g < groups; ++g, row += low) add_rows<low, Used>(segment, row, out, row_stride, slot_stride);
}

struct VnniTiles {
  template <int Rows, int Slots, unsigned First, unsigned Second>
  static void run(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
                  long slot_stride) {
    begin_sums<Rows, Slots>(start, out, row_stride, slot_stride);
    add_segment<Rows, First>(first, out, row_stride, slot_stride);
    add_segment<Rows, Second>(second, out, row_stride, slot_stride);
  }
};

// Sixteen numbers from `from` on, of `left`, as whole numbers; zeros past them.
GATEWISE_INLINE __m512i whole_numbers(const float* from, long left, float up) {
  return _mm512_maskz_cvtps_epi32(0xffff, (__m512)(load<W>(from, Part<W>(left)) * up));
}

}  // namespace

bool has_vnni() { return __builtin_cpu_supports("avx512vnni"); }

ProductTile vnni_product_tile(Product product, int rows) { return pick_tile<VnniTiles>(product, rows); }

void to_byte_row(const float* from, long length, float up, float* to) {
  const long half = int8_half(int8_quads(length));
  // Packing goes quarter by quarter of a register, so that the words come out as 0 4 8 12, 1 5 9 13, ...
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __m512i byte = _mm512_set1_epi16(0xff), top = _mm512_set1_epi16(int16_t(0x8000));
  for (long k = 0; k < length; k += 4 * W) {
    __m512i part[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) part[i] = whole_numbers(from + k + i * W, length - k - i * W, up);
    const __m512i one = _mm512_packs_epi32(part[0], part[1]), two = _mm512_packs_epi32(part[2], part[3]);
    const __m512i low = _mm512_packus_epi16(_mm512_and_si512(one, byte), _mm512_and_si512(two, byte));
    const __m512i high = _mm512_packus_epi16(_mm512_srli_epi16(_mm512_xor_si512(one, top), 8),
                                             _mm512_srli_epi16(_mm512_xor_si512(two, top), 8));
    _mm512_storeu_si512(to + k / 4, _mm512_maskz_permutexvar_epi32(0xffff, order, low));
    _mm512_storeu_si512(to + half + k / 4, _mm512_maskz_permutexvar_epi32(0xffff, order, high));
  }
}
#else
bool has_vnni() { return false; }
ProductTile vnni_product_tile(Product, int) { return nullptr; }
void to_byte_row(const float*, long, float, float*) {}
#endif

}  // namespace gatewise

#if defined(GATEWISE_VNNI) && defined(__clang__)
#pragma clang attribute pop
#endif
