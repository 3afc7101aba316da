// The products of direct.h.
#include "direct.h"

#include "pack.h"

namespace gatewise {

#if GATEWISE_TURNS

namespace {

constexpr int W = kWidth;
using V = Float<W>;

// Asks for a part of W rows that lie one behind the other: as much as is read of other W rows by taking `Numbers` of each,
// from k on. Rows of a few KB end before the processor sees where they lead. The address may be of nothing.
template <int Numbers> GATEWISE_INLINE void fetch_rows(const float* rows, long k) {
#pragma GCC unroll 16
  for (int at = 0; at < Numbers * W; at += 16) __builtin_prefetch(rows + k * W + at, 0, 2);
}

// Rows rows and Count columns; of each column Stretch numbers before the next column's turn.
template <int Rows, int Count, int Stretch>
void add_turned(const Columns& columns, int first, const float* const* rows, long length, float* sums, long row_stride) {
  const float *row[Rows], *weights[Count];
  V sum[Rows][Count];
#pragma GCC unroll 4
  for (int c = 0; c < Count; ++c) {
    weights[c] = columns.weights[first + c];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) sum[r][c] = load<W>(sums + r * row_stride + columns.slots[first + c] * W);
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) row[r] = rows[r];
  long k = 0;
  for (; k + Stretch <= length; k += Stretch)
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) {
      if (columns.next != 0) fetch_rows<Stretch>(weights[c] + columns.next, k);
#pragma GCC unroll 4
      for (int part = 0; part < Stretch; part += 4) {
        V turned[4];
        load_rows(weights[c] + k + part, length, turned);
        turn_parts(turned);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i)
#pragma GCC unroll 8
          for (int r = 0; r < Rows; ++r) sum[r][c] += broadcast<W>(row[r][k + part + i]) * turned[i];
      }
    }
  for (; k < length; ++k)
#pragma GCC unroll 4
    for (int c = 0; c < Count; ++c) {
      V weight;
      for (int lane = 0; lane < W; ++lane) weight[lane] = weights[c][lane * length + k];
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) sum[r][c] += broadcast<W>(row[r][k]) * weight;
    }
#pragma GCC unroll 4
  for (int c = 0; c < Count; ++c)
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) store(sums + r * row_stride + columns.slots[first + c] * W, sum[r][c]);
}

#if defined(__AVX512F__)

// A column at a time, by lines of its rows: the loop is bound by turning weights, not by the chain of sums, and sixteen
// lines stay in the first-level cache however far apart the rows lie.
template <int Rows> void add_turned(const Columns& columns, const float* const* rows, long length, float* sums, long row_stride) {
  for (int c = 0; c < columns.count; ++c) add_turned<Rows, 1, 16>(columns, c, rows, length, sums, row_stride);
}

template <int Rows>
void add_some(const Columns& columns, const float* const* rows, int count, long length, float* sums, long row_stride) {
  if constexpr (Rows > 1)
    if (count < Rows) return add_some<Rows - 1>(columns, rows, count, length, sums, row_stride);
  add_turned<Rows>(columns, rows, length, sums, row_stride);
}

}  // namespace

void add_direct(const Columns& columns, const float* const* rows, const float*, int count, long length, float* sums,
                long row_stride) {
  add_some<kDirectRows>(columns, rows, count, length, sums, row_stride);
}

void lay_across(const float* const*, int, long, float*) {}

#else

// One or two rows. Each column is a chain of dependent sums per row, so all columns go together, unless their weights
// fall into so few sets of the first-level cache that lines would be lost before they are used up: rows that lie a
// multiple of 2 KB apart share two sets, of 8 lines each.
template <int Rows>
void add_turned(const Columns& columns, const float* const* rows, long length, float* sums, long row_stride) {
  constexpr int kLine = 16;
  const long apart = length * long(sizeof(float));
  const bool crowded = apart % 2048 == 0, one_set = apart % 4096 == 0;
  int first = 0;
  if (columns.count == 3 && crowded) return add_turned<Rows, 3, kLine>(columns, 0, rows, length, sums, row_stride);
  if (columns.count == 3) return add_turned<Rows, 3, 4>(columns, 0, rows, length, sums, row_stride);
  if (columns.count == 4 && !crowded) return add_turned<Rows, 4, 4>(columns, 0, rows, length, sums, row_stride);
  for (; first + 2 <= columns.count; first += 2)
    if (Rows == 1 && !one_set)
      add_turned<Rows, 2, 4>(columns, first, rows, length, sums, row_stride);
    else
      add_turned<Rows, 2, kLine>(columns, first, rows, length, sums, row_stride);
  if (first < columns.count) add_turned<Rows, 1, kLine>(columns, first, rows, length, sums, row_stride);
}

template <int I> GATEWISE_INLINE V spread(V v) {
  return __builtin_shuffle(v, Int<W>{I, I, I, I, 4 + I, 4 + I, 4 + I, 4 + I});
}

// Three or four rows: the lanes are the rows for a unit, and for the unit four places on; Count columns.
template <int Count>
void add_pairs(const Columns& columns, int first, const float* across, int count, long length, float* sums,
               long row_stride) {
  V sum[Count][4];
  const float* weights[Count];
#pragma GCC unroll 2
  for (int c = 0; c < Count; ++c) {
    weights[c] = columns.weights[first + c];
    for (int r = 0; r < 4; ++r)
      sum[c][r] = r < count ? load<W>(sums + r * row_stride + columns.slots[first + c] * W) : zero<W>();
    turn_parts(sum[c]);
  }
  long k = 0;
  for (; k + 4 <= length; k += 4) {
    V values[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) values[i] = load<W>(across + (k + i) * W);
#pragma GCC unroll 2
    for (int c = 0; c < Count; ++c) {
      V rows[4];
      fetch_rows<4>(weights[c] + columns.next, k);
      load_rows(weights[c] + k, length, rows);
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) sum[c][u] += values[0] * spread<0>(rows[u]);
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) sum[c][u] += values[1] * spread<1>(rows[u]);
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) sum[c][u] += values[2] * spread<2>(rows[u]);
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) sum[c][u] += values[3] * spread<3>(rows[u]);
    }
  }
  for (; k < length; ++k)
#pragma GCC unroll 2
    for (int c = 0; c < Count; ++c)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) {
        const float low = weights[c][u * length + k], high = weights[c][(u + 4) * length + k];
        sum[c][u] += load<W>(across + k * W) * V{low, low, low, low, high, high, high, high};
      }
#pragma GCC unroll 2
  for (int c = 0; c < Count; ++c) {
    turn_parts(sum[c]);
    for (int r = 0; r < count; ++r) store(sums + r * row_stride + columns.slots[first + c] * W, sum[c][r]);
  }
}

// One column: lanes are the rows of the batch, eight units at once.
void add_across(const float* weights, long next, const float* across, int count, long length, float* sums,
                long row_stride) {
  V sum[W];
  for (int r = 0; r < W; ++r) sum[r] = r < count ? load<W>(sums + r * row_stride) : zero<W>();
  transpose(sum);
  const float* row[W];
#pragma GCC unroll 8
  for (int u = 0; u < W; ++u) row[u] = weights + u * length;
#pragma GCC unroll 4
  for (long k = 0; k < length; ++k) {
    if (k % 2 == 0) fetch_rows<2>(weights + next, k);
    const V values = load<W>(across + k * W);
#pragma GCC unroll 8
    for (int u = 0; u < W; ++u) sum[u] += values * broadcast<W>(row[u][k]);
  }
  transpose(sum);
  for (int r = 0; r < count; ++r) store(sums + r * row_stride, sum[r]);
}

}  // namespace

void add_direct(const Columns& columns, const float* const* rows, const float* across, int count, long length,
                float* sums, long row_stride) {
  if (count == 1) return add_turned<1>(columns, rows, length, sums, row_stride);
  if (count == 2) return add_turned<2>(columns, rows, length, sums, row_stride);
  int c = 0;
  if (count <= kPairedRows)
    for (; c + 2 <= columns.count; c += 2) add_pairs<2>(columns, c, across, count, length, sums, row_stride);
  for (; c < columns.count; ++c)
    if (count <= kPairedRows)
      add_pairs<1>(columns, c, across, count, length, sums, row_stride);
    else
      add_across(columns.weights[c], columns.next, across, count, length, sums + columns.slots[c] * W, row_stride);
}

void lay_across(const float* const* rows, int count, long length, float* to) {
  const float* lanes[kWidth] = {};
  for (int r = 0; r < kWidth; ++r) {
    const int row = count <= kPairedRows ? r % kPairedRows : r;
    if (row < count) lanes[r] = rows[row];
  }
  pack_transposed(lanes, 0, length, length, to, kWidth);
}

#endif

#else

void add_direct(const Columns&, const float* const*, const float*, int, long, float*, long) {}
void lay_across(const float* const*, int, long, float*) {}

#endif

}  // namespace gatewise
