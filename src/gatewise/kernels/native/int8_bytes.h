// What the products of rows of bytes share (int8.h): VNNI's loop, and what is done with the sums. For files that are
// compiled for AVX-512 VNNI.
#pragma once

#include <immintrin.h>

#include "int8.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
static_assert(W == 16, "a register of sums is a tile's row");

constexpr int count(unsigned slots) { return slots == 0 ? 0 : int(slots & 1u) + count(slots >> 1); }

// Sums of the low and of the high bytes of some rows, over neighbouring slots of a panel.
template <int Rows, int Across> struct ByteSums {
  __m512i low[Rows][Across], high[Rows][Across];
};

// sums += the quads `begin` to `end` of rows and panel; `panel` begins with the first of the slots' scales, of `used`.
// As few sums as hide no latency are made twice, from every other quad.
template <int Rows, int Across>
GATEWISE_INLINE void add_quads(ByteSums<Rows, Across>& sums, const float* const* rows, const float* panel, int used,
                               long begin, long end, long half) {
  constexpr int kChains = 2 * Rows * Across < 8 ? 2 : 1;
  ByteSums<Rows, Across> more{};
  const float *low[Rows], *high[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) low[r] = rows[r], high[r] = rows[r] + half;
  const float* weights = panel + (2 + begin) * used * W;
  const auto add = [&](ByteSums<Rows, Across>& to, long k) __attribute__((always_inline)) {
    __m512i weight[Across];
#pragma GCC unroll 4
    for (int s = 0; s < Across; ++s) weight[s] = _mm512_loadu_si512(weights + s * W);
    weights += used * W;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const __m512i lows = (__m512i)_mm512_set1_ps(low[r][k]), highs = (__m512i)_mm512_set1_ps(high[r][k]);
#pragma GCC unroll 4
      for (int s = 0; s < Across; ++s) {
        to.low[r][s] = _mm512_dpbusd_epi32(to.low[r][s], lows, weight[s]);
        to.high[r][s] = _mm512_dpbusd_epi32(to.high[r][s], highs, weight[s]);
      }
    }
  };
  long k = begin;
  if constexpr (kChains == 2)
    for (; k + 2 <= end; k += 2) add(sums, k), add(more, k + 1);
#pragma GCC unroll 2
  for (; k < end; ++k) add(sums, k);
  if constexpr (kChains == 2)
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int s = 0; s < Across; ++s) {
        sums.low[r][s] = _mm512_add_epi32(sums.low[r][s], more.low[r][s]);
        sums.high[r][s] = _mm512_add_epi32(sums.high[r][s], more.high[r][s]);
      }
}

// to += (256 (high - 128 S) + low) times both scales; `scale` is the row's, `scales` the slot's lanes in its panel.
GATEWISE_INLINE void add_scaled(__m512i low, __m512i high, float scale, const float* scales, int used, float* to) {
  const __m512i whole = _mm512_add_epi32(high, _mm512_loadu_si512(scales + used * W));
  const Int<W> sum = (Int<W>)_mm512_add_epi32(_mm512_slli_epi32(whole, 8), low);
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
