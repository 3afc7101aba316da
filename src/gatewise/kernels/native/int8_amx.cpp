// The products of int8.h in bytes with AMX: one instruction multiplies 16 rows of 64 bytes by 64 rows of 16. The rows are
// the low and the high bytes of up to eight rows, half of a row after the other, so that they lie at one distance.
#include <algorithm>

#include "amx.h"
#include "int8.h"
#include "product_tiles.h"

#if defined(GATEWISE_AMX) && defined(__AVX512BW__)
#define GATEWISE_AMX_INT8 1
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512vnni")
#endif
#include "int8_bytes.h"
#endif

namespace gatewise {

#if defined(GATEWISE_AMX_INT8)
namespace {

constexpr long kUnitQuads = 16;  // that one instruction multiplies

template <int Sums, int Weights> GATEWISE_INLINE void multiply() {  // rows unsigned, weights signed
  __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sums), "i"(4), "i"(Weights));
}

template <int Used, int Slot> GATEWISE_INLINE void multiply_slots(const float* weights) {
  if constexpr (Slot < Used) {
    constexpr int side = 6 + Slot % 2;
    load_tile<side>(weights + Slot * W, Used * W);
    multiply<Slot, side>();
    multiply_slots<Used, Slot + 1>(weights);
  }
}

template <int Used, int Slot> GATEWISE_INLINE void zero_slots() {
  if constexpr (Slot < Used) zero_tile<Slot>(), zero_slots<Used, Slot + 1>();
}

template <int Used, int Slot> GATEWISE_INLINE void store_slots(float (*to)[2 * kTileRows][W]) {
  if constexpr (Slot < Used) store_tile<Slot>(to[Slot][0], W), store_slots<Used, Slot + 1>(to);
}

template <unsigned Slots>
GATEWISE_INLINE void add_segment(const Segment& segment, int rows, float* out, long row_stride, long slot_stride) {
  if (segment.length == 0) return;
  constexpr int used = count(Slots);
  const long quads = segment.length - 2, whole = quads / kUnitQuads * kUnitQuads, half = int8_half(quads);
  const float* panel = segment.weights;
  alignas(64) float made[used][2 * kTileRows][W];
  zero_slots<used, 0>();
  const float* weights = panel + 2 * used * W;
  for (long k = 0; k < whole; k += kUnitQuads, weights += kUnitQuads * used * W) {
    load_tile<4>(segment.rows[0] + k, half);
    multiply_slots<used, 0>(weights);
  }
  store_slots<used, 0>(made);
  float* to[4];
  for (int r = 0; r < rows; ++r) {
    places<Slots>(out + r * row_stride, slot_stride, to);
    ByteSums<1, used> low, high;
#pragma GCC unroll 4
    for (int s = 0; s < used; ++s) {
      low[0][s] = _mm512_load_si512(made[s][2 * r]);
      high[0][s] = _mm512_load_si512(made[s][2 * r + 1]);
    }
    if (whole < quads) add_quads<1, used>(low, high, segment.rows + r, panel, used, whole, quads, half);
    const float scale = segment.rows[r][half - 16];
#pragma GCC unroll 4
    for (int s = 0; s < used; ++s) add_scaled(low[0][s], high[0][s], scale, panel + s * W, used, to[s]);
  }
}

template <int Slots, unsigned First, unsigned Second>
constexpr Product kProduct = First == Second ? blocks_product(Slots) : Product::kLastApart;

struct AmxByteTiles {
  template <int Rows, int Slots, unsigned First, unsigned Second>
  static void run(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
                  long slot_stride) {
    if (std::max(first.length, second.length) < 2 + kUnitQuads)  // nothing for a tile
      return vnni_product_tile(kProduct<Slots, First, Second>, Rows)(start, first, second, out, row_stride, slot_stride);
    begin_sums<Rows, Slots>(start, out, row_stride, slot_stride);
    add_segment<First>(first, Rows, out, row_stride, slot_stride);
    add_segment<Second>(second, Rows, out, row_stride, slot_stride);
  }
};

}  // namespace

bool has_amx_int8() { return has_vnni() && has_amx(AmxFeature::kInt8); }

ProductTile int8_amx_product_tile(Product product, int rows) { return pick_tile<AmxByteTiles>(product, rows); }
#else
bool has_amx_int8() { return false; }
ProductTile int8_amx_product_tile(Product, int) { return nullptr; }
#endif

}  // namespace gatewise

#if defined(GATEWISE_AMX_INT8) && defined(__clang__)
#pragma clang attribute pop
#endif
