// Rounding for int8.h, and its tile products with the instructions of this variant.
#include "int8_tile.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#include "amx.h"
#include "sequence.h"

namespace gatewise {

namespace {

std::atomic<int> chosen{-1};

bool is_here(int products) {
  return products == kPairs || (products == kVnniBytes && has_vnni()) || (products == kAmxBytes && has_amx_int8());
}

Int8Products best() {
  static const Int8Products found = is_here(kAmxBytes) ? kAmxBytes : is_here(kVnniBytes) ? kVnniBytes : kPairs;
  return found;
}

int32_t largest_lane(Int<W> value) {
#if defined(__AVX2__)
#if defined(__AVX512F__)
  const __m256i half = _mm256_max_epi32(_mm512_castsi512_si256((__m512i)value),
                                        _mm512_maskz_extracti64x4_epi64(0xf, (__m512i)value, 1));
#else
  const __m256i half = (__m256i)value;
#endif
  const Int<4> lanes_ = (Int<4>)_mm_max_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return std::max(std::max(lanes_[0], lanes_[1]), std::max(lanes_[2], lanes_[3]));
#else
  int32_t most = value[0];
  for (int lane = 1; lane < W; ++lane) most = std::max(most, int32_t(value[lane]));
  return most;
#endif
}

// The largest |value|, or NaN where some value is not finite. As whole numbers the bits of |value| are in the same order,
// with infinity and then the NaNs above all numbers.
float largest(const float* from, long length) {
  Int<W> most{};
  const auto look = [&](Float<W> value) {
    const Int<W> bits = bits_of(value) & 0x7fffffff;
    most = bits > most ? bits : most;
  };
  long k = 0;
  for (; k + W <= length; k += W) look(load<W>(from + k));
  if (k < length) look(load<W>(from + k, Part<W>(length - k)));
  const int32_t bits = largest_lane(most);
  if (bits >= 0x7f800000) return std::numeric_limits<float>::quiet_NaN();
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Nearest, ties to even; |value| < 2^31.
GATEWISE_INLINE int32_t nearest(float value) {
#if defined(__SSE2__)
  return _mm_cvtss_si32(_mm_set_ss(value));
#else
  return int32_t(std::nearbyint(value));
#endif
}

// What takes values of at most `most` to whole numbers of at most `limit`, and back. All zeros where that is all there is.
struct Scale {
  float up, down;
};
Scale scale_of(float most, float limit) {
  if (most < 1e-30f) return {0.0f, 0.0f};
  if (!(most <= std::numeric_limits<float>::max())) return {0.0f, std::numeric_limits<float>::quiet_NaN()};
  return {limit / most, most / limit};
}

int32_t largest_input(long length) {
  const long bound = 2147483647L / (127L * std::max(1L, length));
  return int32_t(std::min(32767L, bound));
}

}  // namespace

void to_int8_row(const float* from, long length, float* to) {
  const Scale scale = scale_of(largest(from, length), float(largest_input(length)));
  if (int8_products() != kPairs) {
    to[int8_half(int8_quads(length)) - 16] = scale.down;
    return to_byte_row(from, length, scale.up, to);
  }
  to[0] = scale.down;
  int16_t* numbers = reinterpret_cast<int16_t*>(to + 1);
  if (scale.up == 0.0f) {
    std::memset(numbers, 0, size_t(int8_quads(length)) * 8);
    return;
  }
  long k = 0;
#if defined(__AVX2__)
  for (; k + 16 <= length; k += 16) {
    const __m256 up = _mm256_set1_ps(scale.up);
    const __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(from + k), up));
    const __m256i high = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(from + k + 8), up));
    _mm256_storeu_si256((__m256i*)(numbers + k), _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8));
  }
#endif
  for (; k < length; ++k) numbers[k] = int16_t(nearest(from[k] * scale.up));
  for (; k < 4 * int8_quads(length); ++k) numbers[k] = 0;
}

void to_int8_panel(const float* const* rows, int slots, long length, float* to) {
  const bool bytes = int8_products() != kPairs;
  const long quads = int8_quads(length), across = slots * W, group = bytes ? 4 : 2;
  int8_t* numbers = reinterpret_cast<int8_t*>(to + (bytes ? 2 : 1) * across);
  std::memset(numbers, 0, size_t(quads * across) * 4);
  for (long each = 0; each < across; ++each) {
    const float* row = rows[each];
    const Scale scale = row != nullptr ? scale_of(largest(row, length), 127.0f) : Scale{0.0f, 0.0f};
    to[each] = scale.down;
    uint32_t sum = 0;
    if (scale.up != 0.0f)
      for (long k = 0; k < length; ++k) {
        const int8_t number = int8_t(nearest(row[k] * scale.up));
        numbers[(k / group * across + each) * group + k % group] = number;
        sum += uint32_t(int32_t(number));
      }
    const uint32_t correction = 0u - 128u * sum;
    if (bytes) std::memcpy(to + across + each, &correction, sizeof correction);
  }
}

Int8Products int8_products() {
  const int wish = chosen.load(std::memory_order_relaxed);
  return wish < 0 ? best() : Int8Products(wish);
}

ProductTile int8_product_tile(Product product, int rows) {
  const Int8Products products = int8_products();
  return products == kAmxBytes    ? int8_amx_product_tile(product, rows)
         : products == kVnniBytes ? vnni_product_tile(product, rows)
                                  : pick_tile<PairTiles>(product, rows);
}

void Int8Unit::reshape(long count) {
  if (used_) amx_shape(2 * int(std::clamp(count, 1L, long(kTileRows))));
}

Int8Unit::~Int8Unit() {
  if (used_) amx_shape(0);
}

}  // namespace gatewise

// Chooses the products of later calls, one of Int8Products, -1: the best; says which run now. One that is not here, or -2:
// no change. Not while a call runs, nor while weights are packed by others.
GATEWISE_EXPORT int32_t gatewise_int8_products(int32_t wish) {
  using namespace gatewise;
  if (wish == -1 || (wish >= 0 && wish <= kAmxBytes && is_here(wish))) chosen.store(wish, std::memory_order_relaxed);
  return int8_products();
}

// x (rows, length) times weights (units, length) transposed, both rounded: out (rows, units). For tests of this file.
GATEWISE_EXPORT void gatewise_int8_product(const float* x, int64_t rows, int64_t length, const float* weights,
                                           int64_t units, float* out) {
  using namespace gatewise;
  const long words = int8_row_words(length);
  std::vector<float> rounded(size_t((rows + kTileRows) * words)), panel(size_t(kMaximumSlots * kWidth * int8_words(length)));
  std::vector<float> start(kMaximumSlots * kWidth, 0.0f), sums(kTileRows * kMaximumSlots * kWidth);
  for (long r = 0; r < rows; ++r) to_int8_row(x + r * length, length, rounded.data() + r * words);
  const Panels panels(units);
  Int8Unit unit_tiles(true, kTileRows);
  for (long j = 0; j < panels.panels; ++j) {
    const int slots = panels.slots(j);
    const long unit = panels.first_block(j) * kWidth;
    const float* from[kMaximumSlots * kWidth];
    for (long each = 0; each < slots * kWidth; ++each)
      from[each] = unit + each < units ? weights + (unit + each) * length : nullptr;
    to_int8_panel(from, slots, length, panel.data());
    for (long r = 0; r < rows; r += kTileRows) {
      const int height = int(std::min<long>(kTileRows, rows - r));
      const float *row[kTileRows], *begin[kTileRows];
      for (int i = 0; i < height; ++i) row[i] = rounded.data() + (r + i) * words, begin[i] = start.data();
      const Segment all{row, panel.data(), int8_words(length)}, nothing{row, nullptr, 0};
      int8_product_tile(blocks_product(slots), height)(begin, all, nothing, sums.data(), slots * kWidth, kWidth);
      for (int i = 0; i < height; ++i)
        std::memcpy(out + (r + i) * units + unit, sums.data() + i * slots * kWidth,
                    size_t(std::min<long>(slots * kWidth, units - unit)) * sizeof(float));
    }
  }
}
