// Products of pairs of bfloat16 with float32 sums: forward, backward and the weights' gradients.
//
// A bfloat16 is the upper half of a float32: 8 bits of precision, the same range. One 32-bit word holds two of a row's
// numbers, 2k (low half) and 2k + 1 (high half), so rows and panels keep the layouts of microkernel.h with half as many
// words. Three implementations: AVX-512 BF16's instruction, which multiplies the words of one register; AMX, which
// multiplies whole tiles of 16 words by 16 rows; and the latter's loops in plain vector code, for tests on any CPU.
//
// The last two are `tiled`: rows and panels have whole tiles of words (zeros at the end), the rows of one product lie at
// one distance from each other, and so do its starts; what is read and written reaches up to kBf16TileRows rows from
// the first one, also where fewer are asked for: memory has to have room for these.
#pragma once

#include "microkernel.h"

namespace gatewise {

enum Bf16Products : int { kNoBf16 = 0, kEmulatedBf16 = 1, kAvx512Bf16 = 2, kAmxBf16 = 3 };

// What multiplies pairs in the calls that begin now: the best that this CPU has, or what gatewise_bf16_products chose.
Bf16Products bf16_products();

constexpr bool is_tiled(Bf16Products products) { return products == kEmulatedBf16 || products == kAmxBf16; }

constexpr int kUnitRows = 16, kUnitWords = 16;  // one tile of rows
constexpr int kBf16TileRows = 2 * kUnitRows;
constexpr int kMostTileRows = kTileRows > kBf16TileRows ? kTileRows : kBf16TileRows;

// Words that stand for `length` numbers.
constexpr long pairs_of(long length) { return (length + 1) / 2; }
constexpr long bf16_words(Bf16Products products, long length) {
  return is_tiled(products) ? (pairs_of(length) + kUnitWords - 1) / kUnitWords * kUnitWords : pairs_of(length);
}

// As product_tile, for rows and weights of pairs; of tiled products inside a Bf16Unit.
ProductTile bf16_product_tile(Bf16Products products, Product product, int rows);

// `length` floats, rounded to nearest even -> bf16_words(length) words, zeros at the end.
void to_bf16_row(Bf16Products products, const float* from, long length, float* to);

// Two rows side by side -> to[i] = words of (first[i], second[i]) for i < round_up(columns, kWidth), zeros past `columns`.
// No second row: zeros.
void to_bf16_words(Bf16Products products, const float* first, const float* second, long columns, float* to);

// The tile registers of this thread, for one call: as many rows as the products need, since a tile's time goes by its
// rows. Other products have none, and any number of them may live.
class Bf16Unit {
 public:
  // For products of up to `count` rows at a time.
  Bf16Unit(Bf16Products products, long count) : products_(products) { reshape(count); }
  ~Bf16Unit();
  Bf16Unit(const Bf16Unit&) = delete;
  Bf16Unit& operator=(const Bf16Unit&) = delete;
  void reshape(long count);
  int tile_rows() const { return tile_rows_; }  // of one product at most

 private:
  Bf16Products products_;
  int rows_ = 0, tile_rows_ = kTileRows;
};

// Of each implementation, for bf16.cpp. The first three are null or false where the compiler lacks it or the CPU does.
bool has_avx512_bf16();
bool has_amx_bf16();
double avx512_bf16_slowness();  // how many float32 multiply-adds take the time of one instruction; 0 without it
ProductTile avx512_bf16_product_tile(Product product, int rows);
void avx512_to_bf16_row(const float* from, long length, float* to, long words);
void avx512_to_bf16_words(const float* first, const float* second, long columns, float* to);
ProductTile amx_product_tile(Product product, int rows);
ProductTile emulated_product_tile(Product product, int rows);
void emulated_shape(int rows);

}  // namespace gatewise
