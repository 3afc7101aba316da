// The one matrix product all sequence kernels are made of: a small tile of rows times a panel of packed weights.
//
// A tile is up to kTileRows batch rows by `slots` vectors of kWidth lanes. Its sums stay in registers while the loop
// runs down the shared axis K: per k, one vector of weights per slot is loaded once and used for every row, and one
// number per row is broadcast and used for every slot. A slot is either one gate of the same kWidth hidden units (so
// that all gates of a unit meet in one tile) or one of up to four neighbouring blocks of kWidth units.
//
// Each row is summed in the order bias, first segment k = 0, 1, ..., second segment k = 0, 1, ..., whatever rows share
// its tile: a sequence gets the same bits in every batch.
#pragma once

#include "vector.h"

namespace gatewise {

// Rows of a tile, and sums that fit the register file at once: 6 rows x 4 slots = 24 of 32 registers; of 16 registers 12
// (3 x 4 or 4 x 3), or 8 where a product and a sum are two instructions with a register between them. A tile of more
// sums goes over a stretch of the weights group of rows by group of rows, while the stretch is in the first-level cache. More
// than kTileRows rows are tiles of at most kManyRows: with AVX-512 groups cost a tenth, which only weights from beyond the
// caches make worth it, read once for eight rows.
#if defined(__AVX512F__)
constexpr int kTileRows = 8, kTileSums = 24, kManyRows = 6;
#elif defined(__aarch64__)
constexpr int kTileRows = 6, kTileSums = 24, kManyRows = kTileRows;
#elif defined(__FMA__)
constexpr int kTileRows = 8, kTileSums = 12, kManyRows = kTileRows;
#else
constexpr int kTileRows = 2, kTileSums = 8, kManyRows = kTileRows;
#endif
constexpr int kMaximumSlots = 4;
constexpr int kRegisterRows = kTileSums / kMaximumSlots;  // rows that need no groups, whatever the product

// One factor pair: `length` numbers of each row against packed weights [length][slots in use][kWidth].
struct Segment {
  const float* const* rows;
  const float* weights;
  long length;
};

// Which slots each segment feeds.
enum class Product {
  kOne = 0,   // 1..4 slots, both segments feed all of them
  kTwo = 1,
  kThree = 2,
  kFour = 3,
  kLastApart = 4,  // three gates, the last one's two products apart: input feeds 0 1 2, state feeds 0 1 3
};
constexpr int kProducts = 5;
constexpr int slots_of(Product product) { return product == Product::kLastApart ? 4 : int(product) + 1; }

// out[r * row_stride + slot * slot_stride .. + kWidth] = start[r][slot * kWidth ..] + first + second, for r < rows.
using ProductTile = void (*)(const float* const* start, const Segment& first, const Segment& second, float* out,
                             long row_stride, long slot_stride);

// The tile function for 1 <= rows <= kTileRows.
ProductTile product_tile(Product product, int rows);

// The product of `slots` neighbouring blocks.
constexpr Product blocks_product(int slots) { return Product(slots - 1); }

}  // namespace gatewise
