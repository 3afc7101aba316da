// The tile product on tiles of pairs, for whatever multiplies them: AMX, or plain code that stands in for it.
//
// A Unit has eight tiles, which template arguments name. 0 to 3 hold sums (Unit::rows() by kWidth floats), 4 and 5 rows
// (Unit::rows() by kUnitWords words), 6 and 7 weights (kUnitWords by kWidth words):
//
//   static int rows();
//   template <int N> static void load_sums(const float* from, long stride);    // strides count words
//   template <int N> static void store_sums(float* to, long stride);
//   template <int N> static void load_rows(const float* from, long stride);
//   template <int N> static void load_weights(const float* from, long stride);
//   template <int Sums, int Rows, int Weights> static void multiply();
//
// Up to Unit::rows() rows take all slots at once; more take two blocks of rows and two slots at a time, so that each
// tile of weights is read once for both. Each sum is made in the same order in either.
#pragma once

#include "bf16.h"
#include "product_tiles.h"

namespace gatewise {
namespace {

constexpr int bits(unsigned slots) { return slots == 0 ? 0 : int(slots & 1u) + bits(slots >> 1); }
// How many of `slots` come before slot s.
constexpr int place(unsigned slots, int s) { return bits(slots & ((1u << s) - 1u)); }

// The first block's rows, and how far apart they lie.
struct Spread {
  const float* first;
  long stride;
};
GATEWISE_INLINE Spread spread(const float* const* rows, bool single) {
  return {rows[0], single ? 0 : long(rows[1] - rows[0])};
}

template <class Unit, int Blocks, unsigned Used, int Slot, unsigned Group>
GATEWISE_INLINE void multiply_slot(const float* weights) {
  if constexpr ((Used & Group) >> Slot & 1u) {
    constexpr int sums = place(Group, Slot) * Blocks, side = 6 + place(Group, Slot) % 2;
    Unit::template load_weights<side>(weights + place(Used, Slot) * kWidth, bits(Used) * kWidth);
    Unit::template multiply<sums, 4, side>();
    if constexpr (Blocks == 2) Unit::template multiply<sums + 1, 5, side>();
  }
}

// One segment, for the slots of Group that it feeds.
template <class Unit, int Blocks, unsigned Used, unsigned Group>
GATEWISE_INLINE void accumulate(const Segment& segment, bool single) {
  if constexpr ((Used & Group) != 0) {
    if (segment.length == 0) return;
    const Spread rows = spread(segment.rows, single);
    const long next = Unit::rows() * rows.stride;
    const float* weights = segment.weights;
    for (long k = 0; k < segment.length; k += kUnitWords, weights += kUnitWords * bits(Used) * kWidth) {
      Unit::template load_rows<4>(rows.first + k, rows.stride);
      if constexpr (Blocks == 2) Unit::template load_rows<5>(rows.first + k + next, rows.stride);
      multiply_slot<Unit, Blocks, Used, 0, Group>(weights);
      multiply_slot<Unit, Blocks, Used, 1, Group>(weights);
      multiply_slot<Unit, Blocks, Used, 2, Group>(weights);
      multiply_slot<Unit, Blocks, Used, 3, Group>(weights);
    }
  }
}

template <class Unit, int Blocks, unsigned Group, int Slot, bool Load>
GATEWISE_INLINE void move_slot(const Spread& from, float* out, long row_stride, long slot_stride) {
  if constexpr (Group >> Slot & 1u) {
    constexpr int sums = place(Group, Slot) * Blocks;
    const long rows = Unit::rows();
    if constexpr (Load) {
      Unit::template load_sums<sums>(from.first + Slot * kWidth, from.stride);
      if constexpr (Blocks == 2)
        Unit::template load_sums<sums + 1>(from.first + rows * from.stride + Slot * kWidth, from.stride);
    } else {
      Unit::template store_sums<sums>(out + Slot * slot_stride, row_stride);
      if constexpr (Blocks == 2)
        Unit::template store_sums<sums + 1>(out + rows * row_stride + Slot * slot_stride, row_stride);
    }
  }
}

template <class Unit, int Blocks, unsigned Group, bool Load>
GATEWISE_INLINE void move(const Spread& from, float* out, long row_stride, long slot_stride) {
  move_slot<Unit, Blocks, Group, 0, Load>(from, out, row_stride, slot_stride);
  move_slot<Unit, Blocks, Group, 1, Load>(from, out, row_stride, slot_stride);
  move_slot<Unit, Blocks, Group, 2, Load>(from, out, row_stride, slot_stride);
  move_slot<Unit, Blocks, Group, 3, Load>(from, out, row_stride, slot_stride);
}

template <class Unit, int Blocks, unsigned First, unsigned Second, unsigned Group>
GATEWISE_INLINE void tile_group(const Spread& start, const Segment& first, const Segment& second, float* out,
                                long row_stride, long slot_stride, bool single) {
  if constexpr (Group != 0) {
    move<Unit, Blocks, Group, true>(start, nullptr, 0, 0);
    accumulate<Unit, Blocks, First, Group>(first, single);
    accumulate<Unit, Blocks, Second, Group>(second, single);
    move<Unit, Blocks, Group, false>(start, out, row_stride, slot_stride);
  }
}

// Blocks 0: a single row, whose distance to the next is not known.
template <class Unit> struct UnitTiles {
  template <int Blocks, int, unsigned First, unsigned Second>
  static void run(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
                  long slot_stride) {
    constexpr unsigned all = First | Second;
    constexpr bool single = Blocks == 0;
    const Spread from = spread(start, single);
    if constexpr (Blocks < 2) {
      tile_group<Unit, 1, First, Second, all>(from, first, second, out, row_stride, slot_stride, single);
    } else {
      tile_group<Unit, 2, First, Second, (all & 3u)>(from, first, second, out, row_stride, slot_stride, single);
      tile_group<Unit, 2, First, Second, (all & 12u)>(from, first, second, out, row_stride, slot_stride, single);
    }
  }
};

template <class Unit> ProductTile pick_unit_tile(Product product, int rows) {
  const int which = int(product);
  return rows == 1              ? kTilesOf<UnitTiles<Unit>, 0>[which]
         : rows <= Unit::rows() ? kTilesOf<UnitTiles<Unit>, 1>[which]
                                : kTilesOf<UnitTiles<Unit>, 2>[which];
}

}  // namespace
}  // namespace gatewise
