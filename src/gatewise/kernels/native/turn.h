// Four numbers of kWidth rows into their transpose, in registers: what packing and products with weights as they lie share.
//
// Most of the numbers that follow the first ones come from memory into their places, which needs none of the shuffles
// that only one unit of a core does.
#pragma once

#include "vector.h"

#if defined(__AVX512F__) && GATEWISE_WIDTH == 16
#include <immintrin.h>
#define GATEWISE_TURNS 1
#elif defined(__AVX2__) && defined(__FMA__) && GATEWISE_WIDTH == 8 && !defined(__clang__)
#define GATEWISE_TURNS 1
#else
#define GATEWISE_TURNS 0  // this instruction set has no such loads
#endif

#if GATEWISE_TURNS

namespace gatewise {

#if defined(__AVX512F__)

// Four numbers of four rows, side by side; those that follow the first come from memory into their places.
GATEWISE_INLINE Float<kWidth> quarters(const float* from, long apart) {
  __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(from));
  v = _mm512_insertf32x4(v, _mm_loadu_ps(from + apart), 1);
  v = _mm512_insertf32x4(v, _mm_loadu_ps(from + 2 * apart), 2);
  return _mm512_insertf32x4(v, _mm_loadu_ps(from + 3 * apart), 3);
}

// Four numbers of sixteen rows: rows[i] has those of the rows i, i + 4, i + 8 and i + 12.
GATEWISE_INLINE void load_rows(const float* from, long length, Float<kWidth> (&rows)[4]) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) rows[i] = quarters(from + i * length, 4 * length);
}

// Each quarter into its transpose.
GATEWISE_INLINE void turn_parts(Float<kWidth> (&v)[4]) {
  const __m512 ab = _mm512_unpacklo_ps(v[0], v[1]), cd = _mm512_unpacklo_ps(v[2], v[3]);
  const __m512 ab_late = _mm512_unpackhi_ps(v[0], v[1]), cd_late = _mm512_unpackhi_ps(v[2], v[3]);
  v[0] = _mm512_shuffle_ps(ab, cd, 0x44);
  v[1] = _mm512_shuffle_ps(ab, cd, 0xee);
  v[2] = _mm512_shuffle_ps(ab_late, cd_late, 0x44);
  v[3] = _mm512_shuffle_ps(ab_late, cd_late, 0xee);
}

#else

// Four numbers of two rows, side by side. The second comes from memory into its half, which needs no shuffle.
GATEWISE_INLINE Float<kWidth> halves(const float* low, const float* high) {
  return __builtin_ia32_vinsertf128_ps256(__builtin_ia32_ps256_ps(load<4>(low)), load<4>(high), 1);
}

// Four numbers of eight rows: rows[i] has those of row i, then of row i + 4.
GATEWISE_INLINE void load_rows(const float* from, long length, Float<kWidth> (&rows)[4]) {
  const float* fifth = from + 4 * length;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) rows[i] = halves(from + i * length, fifth + i * length);
}

// Each half into its transpose.
GATEWISE_INLINE void turn_parts(Float<kWidth> (&v)[4]) {
  using I = Int<kWidth>;
  const I low{0, 8, 1, 9, 4, 12, 5, 13}, high{2, 10, 3, 11, 6, 14, 7, 15};
  const I even{0, 1, 8, 9, 4, 5, 12, 13}, odd{2, 3, 10, 11, 6, 7, 14, 15};
  const Float<kWidth> ab = __builtin_shuffle(v[0], v[1], low), cd = __builtin_shuffle(v[2], v[3], low);
  const Float<kWidth> ab_late = __builtin_shuffle(v[0], v[1], high), cd_late = __builtin_shuffle(v[2], v[3], high);
  v[0] = __builtin_shuffle(ab, cd, even);
  v[1] = __builtin_shuffle(ab, cd, odd);
  v[2] = __builtin_shuffle(ab_late, cd_late, even);
  v[3] = __builtin_shuffle(ab_late, cd_late, odd);
}

#endif

}  // namespace gatewise

#endif
