// Rearranging matrices into the panels that the tile product reads straight through.
#pragma once

#include <cstring>

#include "parallel.h"
#include "turn.h"

namespace gatewise {

constexpr long round_up(long value, long multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr long blocks_of(long size) { return (size + kWidth - 1) / kWidth; }

// A size cut into blocks of kWidth, and those dealt evenly to panels of at most four blocks.
struct Panels {
  long size, blocks, panels;
  explicit Panels(long size_) : size(size_), blocks(blocks_of(size_)), panels((blocks + 3) / 4) {}
  long first_block(long panel) const { return blocks * panel / panels; }
  int slots(long panel) const { return int(first_block(panel + 1) - first_block(panel)); }
};

#if defined(__AVX2__) && !defined(__clang__)
// Eight vectors into their transpose: numbers, then pairs, then halves change places, each in one instruction, since
// only the halves cross the middle of a register.
GATEWISE_INLINE void transpose(Float<8> (&rows)[8]) {
  using I = Int<8>;
  const I low{0, 8, 1, 9, 4, 12, 5, 13}, high{2, 10, 3, 11, 6, 14, 7, 15};
  const I even{0, 1, 8, 9, 4, 5, 12, 13}, odd{2, 3, 10, 11, 6, 7, 14, 15};
  const I lower{0, 1, 2, 3, 8, 9, 10, 11}, upper{4, 5, 6, 7, 12, 13, 14, 15};
  Float<8> pairs[8], fours[8];
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shuffle(rows[i], rows[i + 1], low);
    pairs[i + 1] = __builtin_shuffle(rows[i], rows[i + 1], high);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      fours[i + 2 * j] = __builtin_shuffle(pairs[i + j], pairs[i + j + 2], even);
      fours[i + 2 * j + 1] = __builtin_shuffle(pairs[i + j], pairs[i + j + 2], odd);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    rows[i] = __builtin_shuffle(fours[i], fours[i + 4], lower);
    rows[i + 4] = __builtin_shuffle(fours[i], fours[i + 4], upper);
  }
}
#endif

// Turns kWidth vectors into their transpose, by log2(kWidth) rounds of interleaving vector i with vector i + W/2.
template <int W> GATEWISE_INLINE void transpose(Float<W> (&rows)[W]) {
  Int<W> low, high;
  for (int i = 0; i < W; ++i) {
    low[i] = i / 2 + (i % 2) * W;
    high[i] = W / 2 + i / 2 + (i % 2) * W;
  }
#pragma GCC unroll 4
  for (int round = 1; round < W; round *= 2) {
    Float<W> next[W];
#pragma GCC unroll 8
    for (int i = 0; i < W / 2; ++i) {
#if defined(__clang__)
      for (int lane = 0; lane < W; ++lane) {
        next[2 * i][lane] = lane % 2 ? rows[i + W / 2][lane / 2] : rows[i][lane / 2];
        next[2 * i + 1][lane] = lane % 2 ? rows[i + W / 2][W / 2 + lane / 2] : rows[i][W / 2 + lane / 2];
      }
#else
      next[2 * i] = __builtin_shuffle(rows[i], rows[i + W / 2], low);
      next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + W / 2], high);
#endif
    }
#pragma GCC unroll 16
    for (int i = 0; i < W; ++i) rows[i] = next[i];
  }
}

// to[k * stride + lane] = rows[lane][k] for begin <= k < end <= length and lane < kWidth; lanes without a row (null)
// become 0.
GATEWISE_INLINE void pack_transposed(const float* const (&rows)[kWidth], long begin, long end, long length, float* to,
                                     long stride) {
  constexpr int W = kWidth;
  constexpr long kAhead = 64;  // four cache lines: too many rows side by side for the processor to see where they lead
  const bool all = rows[W - 1] != nullptr;
  for (long k = begin; k < end; k += W) {
    Float<W> block[W];
    if (all && k + W <= length) {
#pragma GCC unroll 16
      for (int lane = 0; lane < W; ++lane) block[lane] = load<W>(rows[lane] + k);
      if (k % 16 == 0 && k + kAhead < length)
#pragma GCC unroll 16
        for (int lane = 0; lane < W; ++lane) __builtin_prefetch(rows[lane] + k + kAhead, 0, 2);
      transpose(block);
#pragma GCC unroll 16
      for (int i = 0; i < W; ++i) store_aligned(to + (k + i) * stride, block[i]);
      continue;
    }
    const Part<W> part(length - k);
#pragma GCC unroll 16
    for (int lane = 0; lane < W; ++lane) block[lane] = rows[lane] ? load<W>(rows[lane] + k, part) : zero<W>();
    transpose(block);
    for (int i = 0; i < part.count; ++i) store_aligned(to + (k + i) * stride, block[i]);
  }
}

// Whether all numbers were finite of which `zeros` is a sum, each times zero: an infinity or NaN times zero is NaN, and stays.
template <class F> GATEWISE_INLINE bool is_finite(F zeros) { return sum(zeros) == 0.0f; }

// The rows of `slots` blocks side by side: to[(k * slots + slot) * kWidth + lane] = rows[slot][lane][k]. A cache line of
// each row after the other, so that what is written lies together. Rows of a block follow each other in memory. Returns
// whether all numbers are finite.
inline bool pack_slots(const float* const (*rows)[kWidth], int slots, long length, float* to) {
  constexpr long kLine = 16;
  const long stride = slots * kWidth;
  Float<kWidth> zeros{};
  for (long k = 0; k < length; k += kLine)
    for (int slot = 0; slot < slots; ++slot) {
      float* target = to + slot * kWidth;
#if GATEWISE_TURNS
      if (rows[slot][kWidth - 1] != nullptr && k + kLine <= length) {
#pragma GCC unroll 4
        for (long part = k; part < k + kLine; part += 4) {
          Float<kWidth> turned[4];
          load_rows(rows[slot][0] + part, length, turned);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) zeros += turned[i] * 0.0f;
          turn_parts(turned);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) store_aligned(target + (part + i) * stride, turned[i]);
        }
        continue;
      }
#endif
      const long end = k + kLine < length ? k + kLine : length;
      pack_transposed(rows[slot], k, end, length, target, stride);
      for (long i = k; i < end; ++i) zeros += load_aligned<kWidth>(target + i * stride) * 0.0f;
    }
  return is_finite(zeros);
}

// The weights of a block of kWidth units, one row each; null past the last unit.
inline void rows_of_block(const float* weights, long units, long length, long block, const float* (&rows)[kWidth]) {
  for (long lane = 0; lane < kWidth; ++lane) {
    const long unit = block * kWidth + lane;
    rows[lane] = unit < units ? weights + unit * length : nullptr;
  }
}

// Weights (gates * units, length), row-major -> one block of kWidth units [length][gates in order][kWidth].
// `order` names which gate stands in each of the `slots` places. Returns whether all are finite.
inline bool pack_gate_panel(const float* weights, long units, long length, const int* order, int slots, long block,
                            float* to) {
  const float* rows[4][kWidth];
  for (int slot = 0; slot < slots; ++slot)
    rows_of_block(weights + order[slot] * units * length, units, length, block, rows[slot]);
  return pack_slots(rows, slots, length, to);
}

// All blocks of this thread's share, one after the other; where `finite` is given, finite[block] becomes 1 or 0.
inline void pack_gates(const float* weights, long units, long length, const int* order, int slots, float* to,
                       Range blocks, float* finite = nullptr) {
  for (long block = blocks.begin; block < blocks.end; ++block) {
    const bool all = pack_gate_panel(weights, units, length, order, slots, block, to + block * length * slots * kWidth);
    if (finite != nullptr) finite[block] = all;
  }
}

// Weights (units, length), row-major, one gate -> a panel of up to four unit blocks [length][blocks][kWidth].
// Returns whether all are finite.
inline bool pack_unit_panel(const float* weights, long length, const Panels& panels, long panel, float* to) {
  const int slots = panels.slots(panel);
  const float* rows[4][kWidth];
  for (int slot = 0; slot < slots; ++slot)
    rows_of_block(weights, panels.size, length, panels.first_block(panel) + slot, rows[slot]);
  return pack_slots(rows, slots, length, to);
}

// All panels of this thread's share, one after the other; where `finite` is given, it becomes 1 or 0 at each one's first block.
inline void pack_units(const float* weights, long length, const Panels& panels, float* to, Range share,
                       float* finite = nullptr) {
  for (long panel = share.begin; panel < share.end; ++panel) {
    const long block = panels.first_block(panel);
    const bool all = pack_unit_panel(weights, length, panels, panel, to + block * length * kWidth);
    if (finite != nullptr) finite[block] = all;
  }
}

// Whether `count` numbers are all finite.
inline bool all_finite(const float* from, long count) {
  constexpr int W = kWidth;
  Float<W> sums[4]{};
  long i = 0;
  for (; i + 4 * W <= count; i += 4 * W)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) sums[j] += load<W>(from + i + j * W) * 0.0f;
  for (; i < count; i += W) sums[0] += load<W>(from + i, Part<W>(count - i)) * 0.0f;
  return is_finite((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// Rows (length, columns), row-major -> panels of up to four column blocks [length][blocks][kWidth]: the transposed
// product, as the backward pass needs it. Row k is at row(k).
template <class Row>
inline void pack_columns(const Row& row, long length, const Panels& panels, float* to, Range share) {
  for (long panel = share.begin; panel < share.end; ++panel) {
    const int slots = panels.slots(panel);
    const long first = panels.first_block(panel);
    float* target = to + first * length * kWidth;
    const Part<kWidth> last(panels.size - (first + slots - 1) * kWidth);
    for (long k = 0; k < length; ++k, target += slots * kWidth) {
      const float* from = row(k) + first * kWidth;
      for (int slot = 0; slot + 1 < slots; ++slot) store(target + slot * kWidth, load<kWidth>(from + slot * kWidth));
      store(target + (slots - 1) * kWidth, load<kWidth>(from + (slots - 1) * kWidth, last));
    }
  }
}

}  // namespace gatewise
