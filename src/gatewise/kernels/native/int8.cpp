// Rounding for int8.h, and its tile products with the instructions of this variant.
#include "int8_tile.h"

#include <cmath>
#include <limits>
#include <vector>

#include "sequence.h"

namespace gatewise {

namespace {

// The largest |value|, or NaN where some value is not finite.
float largest(const float* from, long length) {
  Float<W> most{}, not_finite{};
  const auto look = [&](Float<W> value) {
    most = larger(most, absolute(value));
    not_finite += value * 0.0f;
  };
  long k = 0;
  for (; k + W <= length; k += W) look(load<W>(from + k));
  if (k < length) look(load<W>(from + k, Part<W>(length - k)));
  float lanes_[W], result = 0.0f;
  store(lanes_, most);
  for (float each : lanes_) result = each > result ? each : result;
  const float bad = sum(not_finite);
  return bad == 0.0f ? result : std::numeric_limits<float>::quiet_NaN();
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
  to[0] = scale.down;
  int16_t* numbers = reinterpret_cast<int16_t*>(to + 1);
  if (scale.up == 0.0f) {
    std::memset(numbers, 0, size_t(int8_pairs(length)) * 4);
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
  for (; k < 2 * int8_pairs(length); ++k) numbers[k] = 0;
}

void to_int8_panel(const float* const* rows, int slots, long length, float* to) {
  const long pairs = int8_pairs(length), across = slots * W;
  int8_t* numbers = reinterpret_cast<int8_t*>(to + across);
  std::memset(numbers, 0, size_t(pairs * across) * 2);
  for (long each = 0; each < across; ++each) {
    const float* row = rows[each];
    const Scale scale = row != nullptr ? scale_of(largest(row, length), 127.0f) : Scale{0.0f, 0.0f};
    to[each] = scale.down;
    if (scale.up == 0.0f) continue;
    for (long k = 0; k < length; ++k) numbers[(k / 2 * across + each) * 2 + k % 2] = int8_t(nearest(row[k] * scale.up));
  }
}

ProductTile int8_product_tile(Product product, int rows) {
  const ProductTile quick = int8_vnni_product_tile(product, rows);
  return quick != nullptr ? quick : pick<kTileRows>(int(product), rows);
}

}  // namespace gatewise

// x (rows, length) times weights (units, length) transposed, both rounded: out (rows, units). For tests of this file.
GATEWISE_EXPORT void gatewise_int8_product(const float* x, int64_t rows, int64_t length, const float* weights,
                                           int64_t units, float* out) {
  using namespace gatewise;
  const long words = int8_row_words(length);
  std::vector<float> rounded(size_t(rows * words)), panel(size_t(kMaximumSlots * kWidth * int8_words(length)));
  std::vector<float> start(kMaximumSlots * kWidth, 0.0f), sums(kTileRows * kMaximumSlots * kWidth);
  for (long r = 0; r < rows; ++r) to_int8_row(x + r * length, length, rounded.data() + r * words);
  const Panels panels(units);
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
