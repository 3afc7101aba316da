// The tile products of microkernel.h, one instance per number of rows and arrangement of slots.
#include "microkernel.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;

constexpr int count(unsigned slots) { return slots == 0 ? 0 : int(slots & 1u) + count(slots >> 1); }

// sums[r][s] += rows[r][k] * weights[k][s] over all k, for the slots s in the bit set Used.
template <int Rows, int Slots, unsigned Used>
GATEWISE_INLINE void accumulate(Float<W> (&sums)[Rows][Slots], const Segment& segment) {
  constexpr int used = count(Used);
  const float* row[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) row[r] = segment.rows[r];
  const float* weights = segment.weights;
#pragma GCC unroll 2
  for (long k = 0; k < segment.length; ++k, weights += used * W) {
    // With 32 registers all weights of this k are held and the rows come one by one; with 16 the other way round.
#if defined(__AVX512F__) || defined(__aarch64__)
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
#else
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
#endif
  }
}

template <int Rows, int Slots, unsigned First, unsigned Second>
void tile(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
          long slot_stride) {
  Float<W> sums[Rows][Slots];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < Slots; ++s) sums[r][s] = load<W>(start[r] + s * W);
  accumulate<Rows, Slots, First>(sums, first);
  accumulate<Rows, Slots, Second>(sums, second);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
    for (int s = 0; s < Slots; ++s) store(out + r * row_stride + s * slot_stride, sums[r][s]);
}

template <int Rows>
constexpr ProductTile kTiles[kProducts] = {
    tile<Rows, 1, 1, 1>,   tile<Rows, 2, 3, 3>,           tile<Rows, 3, 7, 7>,
    tile<Rows, 4, 15, 15>, tile<Rows, 4, 0b0111, 0b1011>,
};

template <int Rows> ProductTile pick(int which, int rows) {
  if constexpr (Rows > 1)
    if (rows < Rows) return pick<Rows - 1>(which, rows);
  return kTiles<Rows>[which];
}

}  // namespace

ProductTile product_tile(Product product, int rows) { return pick<kTileRows>(int(product), rows); }

}  // namespace gatewise
