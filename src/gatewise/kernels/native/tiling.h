// How the rows of a step are cut into tiles, and the registers that their products need.
#pragma once

#include "bf16.h"
#include "int8.h"

namespace gatewise {

// Splits `count` rows into tiles of nearly equal height: one of up to `most`, or several of up to `many`.
struct Tiling {
  long count, tiles;
  Tiling(long count_, long most, long many)
      : count(count_), tiles(count <= most ? count > 0 : (count + many - 1) / many) {}
  explicit Tiling(long count_, long most = kTileRows) : Tiling(count_, most, most == kTileRows ? kManyRows : most) {}
  long begin(long tile) const { return count * tile / tiles; }
};

// The tile registers of a walk's products, where these have any.
class TileUnit {
 public:
  TileUnit(Bf16Products products, bool whole_numbers, long count)
      : bf16_(products, count), int8_(whole_numbers, count) {}
  // For up to `count` rows at a time, later also fewer.
  void reshape(long count) { bf16_.reshape(count), int8_.reshape(count); }
  Tiling tiling(long count) const {
    return int8_.used() ? Tiling(count, kTileRows, kTileRows) : Tiling(count, bf16_.tile_rows());
  }

 private:
  Bf16Unit bf16_;
  Int8Unit int8_;
};

// Rows of memory for tiles of `count` rows: as many more as tiled products of bfloat16 may touch (bf16.h).
constexpr long tile_room(long count) { return count + kMostTileRows; }

}  // namespace gatewise
