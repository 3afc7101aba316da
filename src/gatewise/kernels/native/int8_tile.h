// The products of int8.h in pairs, for the instruction set that the including file is compiled for.
#pragma once

#include <algorithm>

#include "int8.h"
#include "product_tiles.h"
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace gatewise {
namespace {

constexpr int W = kWidth;

// 2 W weights as 16-bit numbers, and sum += both products of each lane's pair with `pair`.
#if defined(__AVX512BW__)
using Wide = __m512i;
GATEWISE_INLINE Wide wide(const int8_t* from) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i*)from)); }
GATEWISE_INLINE Int<W> add_products(Int<W> sum, int32_t pair, Wide weights) {
  return sum + (Int<W>)_mm512_madd_epi16(_mm512_set1_epi32(pair), weights);
}
#elif defined(__AVX2__)
using Wide = __m256i;
GATEWISE_INLINE Wide wide(const int8_t* from) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i*)from)); }
GATEWISE_INLINE Int<W> add_products(Int<W> sum, int32_t pair, Wide weights) {
  return sum + (Int<W>)_mm256_madd_epi16(_mm256_set1_epi32(pair), weights);
}
#elif defined(__SSE2__)
using Wide = __m128i;
GATEWISE_INLINE Wide wide(const int8_t* from) {
  const __m128i bytes = _mm_loadl_epi64((const __m128i*)from);
  return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}
GATEWISE_INLINE Int<W> add_products(Int<W> sum, int32_t pair, Wide weights) {
  return sum + (Int<W>)_mm_madd_epi16(_mm_set1_epi32(pair), weights);
}
#else
struct Wide {
  Int<W> even, odd;
};
GATEWISE_INLINE Wide wide(const int8_t* from) {
  typedef int16_t Pairs __attribute__((vector_size(2 * W)));  // the first of two in the low byte
  Pairs pairs;
  std::memcpy(&pairs, from, sizeof pairs);
  const Int<W> both = __builtin_convertvector(pairs, Int<W>);
  return {(both << 24) >> 24, both >> 8};
}
GATEWISE_INLINE Int<W> add_products(Int<W> sum, int32_t pair, const Wide& weights) {
  const int32_t low = int16_t(uint32_t(pair) & 0xffffu), high = pair >> 16;
  return sum + weights.even * low + weights.odd * high;
}
#endif

// Some rows and `Across` neighbouring slots of a panel with `used` slots, the first of which is `first`.
template <int Rows, int Across>
GATEWISE_INLINE void add_slots(const float* const* rows, const float* panel, int used, int first, long pairs,
                               float* const (&out)[Across], long row_stride) {
  Int<W> sums[Rows][Across] = {};
  const float* row[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) row[r] = rows[r] + 1;
  const int8_t* weights = reinterpret_cast<const int8_t*>(panel + used * W) + first * 2 * W;
#pragma GCC unroll 2
  for (long k = 0; k < pairs; ++k, weights += used * 2 * W) {
    Wide weight[Across];
#pragma GCC unroll 4
    for (int s = 0; s < Across; ++s) weight[s] = wide(weights + s * 2 * W);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      int32_t pair;
      std::memcpy(&pair, row[r] + k, sizeof pair);
#pragma GCC unroll 4
      for (int s = 0; s < Across; ++s) sums[r][s] = add_products(sums[r][s], pair, weight[s]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < Across; ++s) {
      float* to = out[s] + r * row_stride;
      const Float<W> scale = rows[r][0] * load<W>(panel + (first + s) * W);
      store(to, load<W>(to) + to_float<W>(sums[r][s]) * scale);
    }
}

// The slots from `First` on, as many at a time as leave registers for the weights: three or four rows take two.
template <int Rows, int Used, int First>
GATEWISE_INLINE void add_from(const float* const* rows, const float* panel, long pairs, float* const* to,
                              long row_stride) {
  if constexpr (First < Used) {
    constexpr int most = Rows < 3 ? 4 : 2, across = Used - First < most ? Used - First : most;
    float* part[across];
    for (int s = 0; s < across; ++s) part[s] = to[First + s];
    add_slots<Rows, across>(rows, panel, Used, First, pairs, part, row_stride);
    add_from<Rows, Used, First + across>(rows, panel, pairs, to, row_stride);
  }
}

// All slots of a segment for some rows.
template <int Rows, unsigned Used>
GATEWISE_INLINE void add_rows(const Segment& segment, int row, float* out, long row_stride, long slot_stride) {
  float* to[4];
  for (int s = 0, j = 0; s < 4; ++s)
    if (Used >> s & 1u) to[j++] = out + row * row_stride + s * slot_stride;
  add_from<Rows, count(Used), 0>(segment.rows + row, segment.weights, 2 * (segment.length - 1), to, row_stride);
}

template <int Rows, unsigned Used>
GATEWISE_INLINE void add_segment(const Segment& segment, float* out, long row_stride, long slot_stride) {
  if (segment.length == 0) return;
  constexpr int groups = (Rows + 3) / 4, high = (Rows + groups - 1) / groups, low = Rows / groups;
  int row = 0;
#pragma GCC unroll 4
  for (int g = 0; g < Rows - groups * low; ++g, row += high) add_rows<high, Used>(segment, row, out, row_stride, slot_stride);
#pragma GCC unroll 4
  for (; row < Rows; row += low) add_rows<low, Used>(segment, row, out, row_stride, slot_stride);
}

struct PairTiles {
  template <int Rows, int Slots, unsigned First, unsigned Second>
  static void run(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
                  long slot_stride) {
    for (int r = 0; r < Rows; ++r)
      for (int s = 0; s < Slots; ++s) store(out + r * row_stride + s * slot_stride, load<W>(start[r] + s * W));
    add_segment<Rows, First>(first, out, row_stride, slot_stride);
    add_segment<Rows, Second>(second, out, row_stride, slot_stride);
  }
};

}  // namespace
}  // namespace gatewise
