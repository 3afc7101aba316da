// A tile product for every number of rows and every Product, from one template of the file that multiplies.
#pragma once

#include "microkernel.h"

namespace gatewise {
namespace {

// How many slots a bit set has.
constexpr int count(unsigned slots) { return slots == 0 ? 0 : int(slots & 1u) + count(slots >> 1); }

// In the order of Product. Tiles::run<Rows, Slots, First, Second> is a ProductTile, whose segments feed the slots in the
// bit sets First and Second.
template <class Tiles, int Rows>
constexpr ProductTile kTilesOf[kProducts] = {
    Tiles::template run<Rows, 1, 1, 1>,
    Tiles::template run<Rows, 2, 3, 3>,
    Tiles::template run<Rows, 3, 7, 7>,
    Tiles::template run<Rows, 4, 15, 15>,
    Tiles::template run<Rows, 4, 0b0111, 0b1011>,
};

// The one for 1 <= rows <= Rows.
template <class Tiles, int Rows = kTileRows> ProductTile pick_tile(Product product, int rows) {
  if constexpr (Rows > 1)
    if (rows < Rows) return pick_tile<Tiles, Rows - 1>(product, rows);
  return kTilesOf<Tiles, Rows>[int(product)];
}

}  // namespace
}  // namespace gatewise
