// The tile products of microkernel.h, one instance per number of rows and arrangement of slots.
#include "product_tiles.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;

// sums[r][s] += rows[r][k] * weights[k][s] over begin <= k < end, for the slots s in the bit set Used. With Ahead the
// processor meanwhile fetches as many weights behind these, which come next.
template <int Rows, int Slots, unsigned Used, bool Ahead = false>
GATEWISE_INLINE void accumulate(Float<W> (&sums)[Rows][Slots], const float* const* rows, const float* weights, long begin,
                                long end) {
  constexpr int used = count(Used);
  const float* row[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) row[r] = rows[r];
  weights += begin * used * W;
  [[maybe_unused]] const long ahead = (end - begin) * used * W;
#pragma GCC unroll 2
  for (long k = begin; k < end; ++k, weights += used * W) {
    if constexpr (Ahead)
#pragma GCC unroll 4
      for (int line = 0; line < used * W; line += 16) __builtin_prefetch(weights + ahead + line);
    // With registers for it all weights of this k are held and the rows come one by one; else the other way round.
    if constexpr (kTileSums > 12 || Rows > 3) {
      Float<W> weight[used];
#pragma GCC unroll 4
      for (int j = 0; j < used; ++j) weight[j] = load_aligned<W>(weights + j * W);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r) {
        const Float<W> value = broadcast<W>(row[r][k]);
        int j = 0;
#pragma GCC unroll 4
        for (int s = 0; s < Slots; ++s)
          if (Used >> s & 1u) sums[r][s] += value * weight[j++];
      }
    } else {
      Float<W> value[Rows];
#pragma GCC unroll 4
      for (int r = 0; r < Rows; ++r) value[r] = broadcast<W>(row[r][k]);
      int j = 0;
#pragma GCC unroll 4
      for (int s = 0; s < Slots; ++s) {
        if (!(Used >> s & 1u)) continue;
        const Float<W> weight = load_aligned<W>(weights + W * j++);
#pragma GCC unroll 4
        for (int r = 0; r < Rows; ++r) sums[r][s] += value[r] * weight;
      }
    }
  }
}

// The same on sums in memory.
template <int Rows, int Slots, unsigned Used, bool Ahead>
GATEWISE_INLINE void add(const float* const* rows, const float* weights, long begin, long end, float* out,
                         long row_stride, long slot_stride) {
  Float<W> sums[Rows][Slots];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < Slots; ++s)
      if (Used >> s & 1u) sums[r][s] = load<W>(out + r * row_stride + s * slot_stride);
  accumulate<Rows, Slots, Used, Ahead>(sums, rows, weights, begin, end);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < Slots; ++s)
      if (Used >> s & 1u) store(out + r * row_stride + s * slot_stride, sums[r][s]);
}

// Rows in nearly equal groups whose sums fit the registers: the next one, then the others. With Ahead the last one
// fetches the next weights.
template <int Rows, int Groups, int Slots, unsigned Used, bool Ahead>
GATEWISE_INLINE void add_by_groups(const float* const* rows, const float* weights, long begin, long end, float* out,
                                   long row_stride, long slot_stride) {
  constexpr int now = (Rows + Groups - 1) / Groups;
  add<now, Slots, Used, Ahead && Groups == 1>(rows, weights, begin, end, out, row_stride, slot_stride);
  if constexpr (Groups > 1)
    add_by_groups<Rows - now, Groups - 1, Slots, Used, Ahead>(rows + now, weights, begin, end, out + now * row_stride, row_stride,
                                                       slot_stride);
}

// One segment of a tile with more sums than registers, in stretches of weights of at most 16 KB (AVX-512: 32).
//
// Two groups of 8 sums (AVX-512: 16, each of twice as many numbers) have just as many sums in flight as the latency of a multiply-add needs, and read the weights
// from beyond the first-level cache as fast as that can deliver them, then not at all: any delay shows. So where many
// weights follow, the second group fetches the next stretch for the first one. More sums hide such delays by themselves.
template <int Rows, int Slots, unsigned Used>
GATEWISE_INLINE void add_in_stretches(const Segment& segment, float* out, long row_stride, long slot_stride) {
  constexpr long kMany = 192, kAhead = kTileSums > 12 ? 32 : 64;
  constexpr int groups = (Rows * count(Used) + kTileSums - 1) / kTileSums;
  constexpr bool tight = groups == 2 && Rows * count(Used) == (kTileSums > 12 ? 32 : 16);
  const bool ahead = tight && segment.length >= kMany;
  const long stretch = ahead ? kAhead : 128;
  for (long k = 0; k < segment.length; k += stretch) {
    const long end = k + stretch < segment.length ? k + stretch : segment.length;
    if (ahead)
      add_by_groups<Rows, groups, Slots, Used, tight>(segment.rows, segment.weights, k, end, out, row_stride, slot_stride);
    else
      add_by_groups<Rows, groups, Slots, Used, false>(segment.rows, segment.weights, k, end, out, row_stride, slot_stride);
  }
}

struct FloatTiles {
  template <int Rows, int Slots, unsigned First, unsigned Second>
  static void run(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
                  long slot_stride) {
    if constexpr (Rows * Slots <= kTileSums) {
      Float<W> sums[Rows][Slots];
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int s = 0; s < Slots; ++s) sums[r][s] = load<W>(start[r] + s * W);
      accumulate<Rows, Slots, First>(sums, first.rows, first.weights, 0, first.length);
      accumulate<Rows, Slots, Second>(sums, second.rows, second.weights, 0, second.length);
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
        for (int s = 0; s < Slots; ++s) store(out + r * row_stride + s * slot_stride, sums[r][s]);
    } else {
      for (int r = 0; r < Rows; ++r)
        for (int s = 0; s < Slots; ++s) store(out + r * row_stride + s * slot_stride, load<W>(start[r] + s * W));
      add_in_stretches<Rows, Slots, First>(first, out, row_stride, slot_stride);
      add_in_stretches<Rows, Slots, Second>(second, out, row_stride, slot_stride);
    }
  }
};

}  // namespace

ProductTile product_tile(Product product, int rows) { return pick_tile<FloatTiles>(product, rows); }

}  // namespace gatewise
