// Products of 8-bit weights with 16-bit inputs, summed in integers: for inference only, on every CPU.
//
// A weight row w becomes whole numbers of -127 .. 127 and one scale, max |w| / 127. Each step's row x (or state h) becomes
// whole numbers of -M .. M and one scale, max |x| / M. Their products are summed exactly in 32 bits, since
//     |sum| <= length 127 M <= 2^31 - 1    by M = min(32767, (2^31 - 1) / (127 length)),
// and each partial sum too: an instruction that saturates or wraps never meets a number that is too large. So the sum
// has the same bits in whatever order and with whatever instruction it is made. It is then multiplied by both scales.
//
// In pairs: a rounded row is [scale][numbers, two to a word, zeros at the end]. A panel is [scales: slots][kWidth], then
// the numbers [pairs of k][slots][kWidth][2]: with `words` = 1 + pairs / 2 it takes slots kWidth words floats, as a panel
// of `words` numbers does in microkernel.h. A NaN or infinity in a row makes its scale, and so all its sums, NaN.
//
// In bytes, for instructions that multiply four unsigned bytes of a row with four signed ones of a lane's weights and add
// them to 32 bits: x = 256 (high - 128) + low with high and low in 0 .. 255 (|x| <= 32767), so with S = sum w
//     sum w x = 256 (sum w high - 128 S) + sum w low    (modulo 2^32).
// Each instruction adds modulo 2^32 without saturating (a sum of four products, |each| <= 127 255, is exact), and so do the
// shift and the additions at the end; the left side is within 32 bits, as above, hence it is what comes out: the same bits
// again. A rounded row is two halves, [low bytes, whole units of 64][16 words, the first one the scale] and [high bytes]
// [16 words]; a panel is [scales][-128 S: slots][kWidth], then [quads of k][slots][kWidth][4].
#pragma once

#include "microkernel.h"

namespace gatewise {

enum Int8Products : int { kPairs = 0, kVnniBytes = 1, kAmxBytes = 2 };

// What multiplies in the calls that begin now: the best that this CPU has, or what gatewise_int8_products chose.
Int8Products int8_products();

// Groups of four numbers that a row of `length` takes, and words of one half of a row of bytes.
constexpr long int8_quads(long length) { return (length + 3) / 4; }
constexpr long int8_half(long quads) { return (quads + 15) / 16 * 16 + 16; }

// The words of a panel per lane and slot, and those of a rounded row.
inline long int8_words(long length) { return (int8_products() == kPairs ? 1 : 2) + int8_quads(length); }
inline long int8_row_words(long length) {
  return int8_products() == kPairs ? 1 + 2 * int8_quads(length) : 2 * int8_half(int8_quads(length));
}

// `length` floats -> int8_row_words(length) words.
void to_int8_row(const float* from, long length, float* to);

// Rows of weights, rows[slot * kWidth + lane] (null: zeros) -> a panel of slots * kWidth * int8_words(length) floats.
void to_int8_panel(const float* const* rows, int slots, long length, float* to);

// As product_tile, for rounded rows and panels; a segment's length is its words. Each segment's sums are added at once.
// Inside an Int8Unit; rows of bytes lie one after the other, and what is read may reach up to kTileRows rows past the first.
ProductTile int8_product_tile(Product product, int rows);

// The tile registers of this thread, for one call, where AMX multiplies; else nothing.
class Int8Unit {
 public:
  // For products of up to `count` rows, in tiles of up to kTileRows.
  Int8Unit(bool used, long count) : used_(used && int8_products() == kAmxBytes) { reshape(count); }
  ~Int8Unit();
  Int8Unit(const Int8Unit&) = delete;
  Int8Unit& operator=(const Int8Unit&) = delete;
  void reshape(long count);
  bool used() const { return used_; }

 private:
  bool used_;
};

// Of rows of bytes, for int8.cpp: whether CPU and compiler have the instructions, rows, products.
bool has_vnni();
bool has_amx_int8();
void to_byte_row(const float* from, long length, float up, float* to);  // all but the scale
ProductTile vnni_product_tile(Product product, int rows);
ProductTile int8_amx_product_tile(Product product, int rows);

}  // namespace gatewise
