// The tile product on pairs of bfloat16 with AVX-512 BF16: half the weights to read, and two products per lane and
// instruction. Where the CPU family or the compiler has no such instruction this file offers nothing.
#include "bf16.h"
#include "product_tiles.h"

#if defined(__AVX512F__) && (defined(__clang__) || __GNUC__ >= 10)
#define GATEWISE_HAS_BF16 1
#include <immintrin.h>

#include <algorithm>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512bf16"))), apply_to = function)
#else
#pragma GCC target("avx512bf16")
#endif
#endif

namespace gatewise {

#if defined(GATEWISE_HAS_BF16)
namespace {

constexpr int W = kWidth;

// sums[r][s] += both products of every pair, for the slots s in the bit set Used; as in microkernel.cpp.
template <int Rows, int Slots, unsigned Used>
inline __attribute__((always_inline)) void accumulate(Float<W> (&sums)[Rows][Slots], const Segment& segment) {
  constexpr int used = count(Used);
  const float* row[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) row[r] = segment.rows[r];
  const float* weights = segment.weights;
#pragma GCC unroll 2
  for (long k = 0; k < segment.length; ++k, weights += used * W) {
    __m512i weight[used];
#pragma GCC unroll 4
    for (int j = 0; j < used; ++j) weight[j] = _mm512_load_si512(weights + j * W);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      int32_t pair;
      std::memcpy(&pair, row[r] + k, sizeof pair);
      const __m512i value = _mm512_set1_epi32(pair);
      int j = 0;
#pragma GCC unroll 4
      for (int s = 0; s < Slots; ++s)
        if (Used >> s & 1u) sums[r][s] = _mm512_dpbf16_ps(sums[r][s], (__m512bh)value, (__m512bh)weight[j++]);
    }
  }
}

struct Bf16Tiles {
  template <int Rows, int Slots, unsigned First, unsigned Second>
  static void run(const float* const* start, const Segment& first, const Segment& second, float* out, long row_stride,
                  long slot_stride) {
    if constexpr (Rows * Slots > kTileSums) {  // more than the registers hold: by halves
      constexpr int half = Rows / 2;
      run<half, Slots, First, Second>(start, first, second, out, row_stride, slot_stride);
      const Segment rest_of_first{first.rows + half, first.weights, first.length};
      const Segment rest_of_second{second.rows + half, second.weights, second.length};
      return run<Rows - half, Slots, First, Second>(start + half, rest_of_first, rest_of_second, out + half * row_stride,
                                                    row_stride, slot_stride);
    }
    Float<W> sums[Rows][Slots];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int s = 0; s < Slots; ++s) sums[r][s] = _mm512_loadu_ps(start[r] + s * W);
    accumulate<Rows, Slots, First>(sums, first);
    accumulate<Rows, Slots, Second>(sums, second);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 4
      for (int s = 0; s < Slots; ++s) _mm512_storeu_ps(out + r * row_stride + s * slot_stride, sums[r][s]);
  }
};

}  // namespace

bool has_avx512_bf16() { return __builtin_cpu_supports("avx512bf16"); }

ProductTile avx512_bf16_product_tile(Product product, int rows) { return pick_tile<Bf16Tiles>(product, rows); }

namespace {

// Cycles for some instructions that do not wait for each other.
template <bool Pairs> double cycles() {
  Float<W> sums[12]{};
  const Float<W> value{};
  const uint64_t begin = __rdtsc();
  for (int i = 0; i < 500; ++i)
#pragma GCC unroll 12
    for (int j = 0; j < 12; ++j) {
      if constexpr (Pairs)
        __asm__ volatile("vdpbf16ps %1, %1, %0" : "+v"(sums[j]) : "v"(value));
      else
        __asm__ volatile("vfmadd231ps %1, %1, %0" : "+v"(sums[j]) : "v"(value));
    }
  return double(__rdtsc() - begin);
}

// By the least of many tries: a processor takes some ten thousand cycles until wide instructions run at full speed.
double measure_slowness() {
  double pairs = 1e30, floats = 1e30;
  for (int attempt = 0; attempt < 30; ++attempt) {
    pairs = std::min(pairs, cycles<true>());
    floats = std::min(floats, cycles<false>());
  }
  return pairs / floats;
}

}  // namespace

double avx512_bf16_slowness() {
  if (!has_avx512_bf16()) return 0.0;
  static const double found = measure_slowness();
  return found;
}

static __mmask16 first_lanes(long left) { return __mmask16(left >= W ? 0xffffu : left <= 0 ? 0u : (1u << left) - 1u); }

void avx512_to_bf16_row(const float* from, long length, float* to, long words) {
  for (long k = 0; k < words; k += W) {
    const __m512 low = _mm512_maskz_loadu_ps(first_lanes(length - 2 * k), from + 2 * k);
    const __m512 high = _mm512_maskz_loadu_ps(first_lanes(length - 2 * k - W), from + 2 * k + W);
    const __m512i pairs = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    _mm512_mask_storeu_epi32(to + k, first_lanes(words - k), pairs);
  }
}

void avx512_to_bf16_words(const float* first, const float* second, long columns, float* to) {
  const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (long i = 0; i < columns; i += W) {
    const __mmask16 lanes = first_lanes(columns - i);
    const __m512 low = _mm512_maskz_loadu_ps(lanes, first + i);
    const __m512 high = second != nullptr ? _mm512_maskz_loadu_ps(lanes, second + i) : _mm512_setzero_ps();
    _mm512_storeu_si512(to + i, _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(high, low)));
  }
}
#else
bool has_avx512_bf16() { return false; }
double avx512_bf16_slowness() { return 0.0; }
ProductTile avx512_bf16_product_tile(Product, int) { return nullptr; }
void avx512_to_bf16_row(const float*, long, float*, long) {}
void avx512_to_bf16_words(const float*, const float*, long, float*) {}
#endif

}  // namespace gatewise

#if defined(GATEWISE_HAS_BF16) && defined(__clang__)
#pragma clang attribute pop
#endif
