// Which products of bfloat16 there are and which run, and rounding in plain vector code.
#include "bf16.h"

#include <algorithm>
#include <atomic>

#include "amx.h"
#include "sequence.h"

namespace gatewise {

namespace {

constexpr int W = kWidth;
std::atomic<int> chosen{-1};

bool is_here(int products) {
  return products == kNoBf16 || products == kEmulatedBf16 || (products == kAvx512Bf16 && has_avx512_bf16()) ||
         (products == kAmxBf16 && has_avx512_bf16() && has_amx_bf16());
}

Bf16Products best() {
  static const Bf16Products found = is_here(kAmxBf16) ? kAmxBf16 : is_here(kAvx512Bf16) ? kAvx512Bf16 : kNoBf16;
  return found;
}

// The float32 bits of the nearest bfloat16, ties to even, in the upper half; subnormal numbers count as zero.
GATEWISE_INLINE Int<W> rounded(Float<W> value) {
  const Int<W> all = bits_of(value), magnitude = all & 0x7fffffff;
  const Int<W> nearest = all + 0x7fff + (all >> 16 & 1);
  const Int<W> quiet = all | 0x400000, flushed = all & int32_t(0x80000000u);
  const Int<W> finite = magnitude < 0x800000 ? flushed : nearest;
  return (magnitude > 0x7f800000 ? quiet : finite) & int32_t(0xffff0000u);
}

GATEWISE_INLINE Float<W> words_of(Float<W> first, Float<W> second) {
  return from_bits<W>((rounded(first) >> 16 & 0xffff) | rounded(second));
}

void plain_to_bf16_words(const float* first, const float* second, long columns, float* to) {
  for (long i = 0; i < columns; i += W) {
    const Part<W> part(columns - i);
    store(to + i, words_of(load<W>(first + i, part), second != nullptr ? load<W>(second + i, part) : zero<W>()));
  }
}

void plain_to_bf16_row(const float* from, long length, float* to, long words) {
  for (long k = 0; k < words; k += W) {
    float first[W] = {}, second[W] = {};
    for (long i = 0; i < W; ++i) {
      if (2 * (k + i) < length) first[i] = from[2 * (k + i)];
      if (2 * (k + i) + 1 < length) second[i] = from[2 * (k + i) + 1];
    }
    store(to + k, Part<W>(words - k), words_of(load<W>(first), load<W>(second)));
  }
}

}  // namespace

Bf16Products bf16_products() {
  const int wish = chosen.load(std::memory_order_relaxed);
  return wish < 0 ? best() : Bf16Products(wish);
}

ProductTile bf16_product_tile(Bf16Products products, Product product, int rows) {
  return products == kAmxBf16      ? amx_product_tile(product, rows)
         : products == kAvx512Bf16 ? avx512_bf16_product_tile(product, rows)
                                   : emulated_product_tile(product, rows);
}

void to_bf16_row(Bf16Products products, const float* from, long length, float* to) {
  const long words = bf16_words(products, length);
  if (products == kEmulatedBf16)
    plain_to_bf16_row(from, length, to, words);
  else
    avx512_to_bf16_row(from, length, to, words);
}

void to_bf16_words(Bf16Products products, const float* first, const float* second, long columns, float* to) {
  if (products == kEmulatedBf16)
    plain_to_bf16_words(first, second, columns, to);
  else
    avx512_to_bf16_words(first, second, columns, to);
}

void Bf16Unit::reshape(long count) {
  if (!is_tiled(products_)) return;
  const long tiles = (count + kBf16TileRows - 1) / kBf16TileRows;
  rows_ = int(count <= kUnitRows ? std::max(count, 1L) : (count + 2 * tiles - 1) / (2 * tiles));
  tile_rows_ = count <= kUnitRows ? rows_ : 2 * rows_;
  (products_ == kAmxBf16 ? amx_shape : emulated_shape)(rows_);
}

Bf16Unit::~Bf16Unit() {
  if (is_tiled(products_)) (products_ == kAmxBf16 ? amx_shape : emulated_shape)(0);
}

}  // namespace gatewise

// Chooses the products of later calls, one of Bf16Products, -1: the best; says which run now. One that is not here, or -2:
// no change. Not while a call runs.
GATEWISE_EXPORT int32_t gatewise_bf16_products(int32_t wish) {
  using namespace gatewise;
  if (wish == -1 || (wish >= 0 && wish <= kAmxBf16 && is_here(wish))) chosen.store(wish, std::memory_order_relaxed);
  return bf16_products();
}

// See bf16.h; measured once, in less than a millisecond.
GATEWISE_EXPORT double gatewise_bf16_slowness() { return gatewise::avx512_bf16_slowness(); }

// `length` floats -> words as to_bf16_row makes them with the present products; for tests. Returns how many.
GATEWISE_EXPORT int64_t gatewise_bf16_row(const float* from, int64_t length, float* to) {
  using namespace gatewise;
  if (to != nullptr) to_bf16_row(bf16_products(), from, length, to);
  return bf16_words(bf16_products(), length);
}
