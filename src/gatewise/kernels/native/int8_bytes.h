// What the products of rows of bytes share (int8.h): VNNI's loop, and what is done with the sums. For files that are
// compiled for AVX-512 VNNI.
#pragma once

#include <immintrin.h>

#include "int8.h"
#include "product_tiles.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
static_assert(W == 16, "a register of sums is a tile's row");

// Sums of some rows over neighbouring slots of a panel: of the low bytes, or of the high ones.
template <int Rows, int Across> using ByteSums = __m512i[Rows][Across];

// low, high += the products of each lane's four weights with four bytes of a row, without saturating. As assembly: given
// the functions for it GCC copies the sums to and fro.
#define GATEWISE_ADD_PRODUCTS(sum, row, weights) \
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(row), "v"(weights))

template <int Rows, int Across>
GATEWISE_INLINE void add_quad(ByteSums<Rows, Across>& low, ByteSums<Rows, Across>& high, const float* const (&rows)[Rows],
                              long k, long half, const float* weights) {
  __m512i weight[Across];
#pragma GCC unroll 4
  for (int s = 0; s < Across; ++s) weight[s] = _mm512_loadu_si512(weights + s * W);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    const __m512i lows = (__m512i)_mm512_set1_ps(rows[r][k]), highs = (__m512i)_mm512_set1_ps(rows[r][k + half]);
#pragma GCC unroll 4
    for (int s = 0; s < Across; ++s) {
      GATEWISE_ADD_PRODUCTS(low[r][s], lows, weight[s]);
      GATEWISE_ADD_PRODUCTS(high[r][s], highs, weight[s]);
    }
  }
}

// low, high += the quads `begin` to `end` of rows and panel; `panel` begins with the first of the slots' scales, of `used`.
// As few sums as hide no latency are made twice, from every other quad.
template <int Rows, int Across>
GATEWISE_INLINE void add_quads(ByteSums<Rows, Across>& low, ByteSums<Rows, Across>& high, const float* const* from,
                               const float* panel, int used, long begin, long end, long half) {
  constexpr bool kTwice = 2 * Rows * Across <= 8;
  const float* rows[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) rows[r] = from[r];
  const long step = used * W;
  const float* weights = panel + (2 + begin) * step;
  long k = begin;
  if constexpr (kTwice) {
    ByteSums<Rows, Across> more_low{}, more_high{};
    for (; k + 2 <= end; k += 2, weights += 2 * step) {
      add_quad(low, high, rows, k, half, weights);
      add_quad(more_low, more_high, rows, k + 1, half, weights + step);
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int s = 0; s < Across; ++s) {
        low[r][s] = _mm512_add_epi32(low[r][s], more_low[r][s]);
        high[r][s] = _mm512_add_epi32(high[r][s], more_high[r][s]);
      }
  }
  for (; k < end; ++k, weights += step) add_quad(low, high, rows, k, half, weights);
}

// to += (256 (high - 128 S) + low) times both scales; `scale` is the row's, `scales` the slot's lanes in its panel.
GATEWISE_INLINE void add_scaled(__m512i low, __m512i high, float scale, const float* scales, int used, float* to) {
  typedef uint32_t Words __attribute__((vector_size(64)));  // modulo 2^32
  const Words whole = (Words)high + (Words)_mm512_loadu_si512(scales + used * W);
  const Int<W> sum = (Int<W>)((whole << 8) + (Words)low);
  const Float<W> both = scale * load<W>(scales);
  store(to, load<W>(to) + to_float<W>(sum) * both);
}

// Where the slots of `Used` are written for a row.
template <unsigned Used> GATEWISE_INLINE void places(float* out, long slot_stride, float* (&to)[4]) {
  for (int s = 0, j = 0; s < 4; ++s)
    if (Used >> s & 1u) to[j++] = out + s * slot_stride;
}

template <int Rows, int Slots>
GATEWISE_INLINE void begin_sums(const float* const* start, float* out, long row_stride, long slot_stride) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < Slots; ++s) store(out + r * row_stride + s * slot_stride, load<W>(start[r] + s * W));
}

}  // namespace
}  // namespace gatewise
