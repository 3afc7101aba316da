// Rearranging rows of floats into pairs of bfloat16 along the rows' number: for sums over units or positions.
#pragma once

#include <algorithm>

#include "bf16.h"
#include "pack.h"

namespace gatewise {

// As pack_columns, in pairs of rows: panels of up to four column blocks [bf16_words(length)][blocks][kWidth].
template <class Row>
inline void pack_column_words(Bf16Products products, const Row& row, long length, const Panels& panels, float* to,
                              Range share) {
  const long words = bf16_words(products, length), pairs = pairs_of(length);
  for (long panel = share.begin; panel < share.end; ++panel) {
    const long across = panels.slots(panel) * kWidth, column = panels.first_block(panel) * kWidth;
    const long columns = std::min(panels.size - column, across);
    float* target = to + column * words;
    for (long k = 0; k < pairs; ++k, target += across)
      to_bf16_words(products, row(2 * k) + column, 2 * k + 1 < length ? row(2 * k + 1) + column : nullptr, columns, target);
    std::memset(target, 0, size_t((words - pairs) * across) * sizeof(float));
  }
}

// Columns begin..end of `length` rows, transposed: to[(m - begin) * stride + k] = the pair of (rows[2k][m], rows[2k+1][m])
// for k < round_up(bf16_words(length), kWidth), which `stride` has room for; and so many more columns that they are whole
// vectors.
inline void transpose_words(Bf16Products products, const float* const* rows, long length, long begin, long end, float* to,
                            long stride) {
  constexpr int W = kWidth, kAcross = 4 * W;
  alignas(64) float pairs[W][kAcross];
  for (long k = 0; k < bf16_words(products, length); k += W) {
    for (long row = 2 * (k + W); row < std::min(2 * (k + 2 * W), length); ++row)
      for (long m = begin; m < end; m += 16) __builtin_prefetch(rows[row] + m);
    for (long m = begin; m < end; m += kAcross) {
      const long columns = std::min<long>(kAcross, end - m);
      for (int i = 0; i < W; ++i) {
        const long row = 2 * (k + i);
        if (row < length)
          to_bf16_words(products, rows[row] + m, row + 1 < length ? rows[row + 1] + m : nullptr, columns, pairs[i]);
        else
          std::memset(pairs[i], 0, sizeof pairs[i]);
      }
      for (long v = 0; v < columns; v += W) {
        Float<W> block[W];
#pragma GCC unroll 16
        for (int i = 0; i < W; ++i) block[i] = load_aligned<W>(pairs[i] + v);
        transpose(block);
        float* target = to + (m - begin + v) * stride + k;
        for (int i = 0; i < W; ++i) store(target + i * stride, block[i]);
      }
    }
  }
}

}  // namespace gatewise
