// Largest error of exp, sigmoid and tanh over float32 inputs, against double precision.
//
//   activation_sweep STRIDE CURVED [NAME]   every CURVED-th bit pattern with 2^-28 <= |x| < 2^8, every STRIDE-th of the
//                                           others; NAME: one function only
//
// Nearer to zero the functions are x, 1/2 and 1 to the precision of a float, further away 0, 1 and -1.
//
// Prints one line per function: name, largest error in units in the last place of the exact result, the input where it
// occurs, and how many results broke a rule: NaN in gives NaN out (and only then); -1, 1 at the infinities exact; where
// the exact value is subnormal or zero the result lies between it and 2^-126. exp is swept over x <= 0 only.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "activations.h"

using namespace gatewise;
using Lane = Float<kWidth>;

static double exact(int which, double x) {
  if (which == 0) return std::exp(x);
  if (which == 1) return x < 0 ? std::exp(x) / (1.0 + std::exp(x)) : 1.0 / (1.0 + std::exp(-x));
  return std::tanh(x);
}

static Lane approximate(int which, Lane x) {
  if (which == 0) return exp_of_negative(x);
  return which == 1 ? sigmoid(x) : gatewise::tanh(x);
}

// Distance in ulp of the exact value's binade.
static double error_in_ulp(float got, double want) {
  const int exponent = std::ilogb(want);
  return std::fabs(double(got) - want) / std::ldexp(1.0, exponent - 23);
}

static bool breaks_rule(float x, float got, double want) {
  if (std::isnan(x)) return !std::isnan(got);
  if (std::isnan(got)) return true;
  if (std::isinf(x) && want != 0) return double(got) != want;
  if (std::fabs(want) < 0x1p-126) return std::signbit(got) != std::signbit(want) || std::fabs(got) > 0x1p-126f;
  return false;
}

struct Range { uint64_t begin, end, stride; };

struct Result { double largest = 0; float where = 0; uint64_t broken = 0; };

static void sweep(int which, const Range& range, Result& result) {
  for (uint64_t first = range.begin; first < range.end; first += range.stride * kWidth) {
    float input[kWidth], output[kWidth];
    for (int i = 0; i < kWidth; ++i) {
      const uint32_t bits = uint32_t(first + range.stride * i);
      std::memcpy(&input[i], &bits, 4);
    }
    store(output, approximate(which, load<kWidth>(input)));
    for (int i = 0; i < kWidth; ++i) {
      const double want = exact(which, input[i]);
      result.broken += !(which == 0 && input[i] > 0) && breaks_rule(input[i], output[i], want);
      if (!std::isfinite(input[i]) || std::fabs(want) < 0x1p-126 || (which == 0 && input[i] > 0)) continue;
      const double error = error_in_ulp(output[i], want);
      if (error > result.largest || std::isnan(error)) result.largest = error, result.where = input[i];
    }
  }
}

int main(int count, char** words) {
  if (count < 3) return 2;
  const uint64_t stride = std::strtoull(words[1], nullptr, 10), curved = std::strtoull(words[2], nullptr, 10);
  const uint64_t low = uint64_t(127 - 28) << 23, high = uint64_t(127 + 8) << 23, sign = uint64_t(1) << 31;
  const uint64_t infinity = uint64_t(255) << 23;
  const Range ranges[] = {{infinity, infinity + kWidth, 1}, {sign + infinity, sign + infinity + kWidth, 1}, {0, low, stride}, {low, high, curved}, {high, sign, stride},
                          {sign, sign + low, stride}, {sign + low, sign + high, curved}, {sign + high, 2 * sign, stride}};
  const char* names[] = {"exp", "sigmoid", "tanh"};
  for (int which = 0; which < 3; ++which) {
    if (count > 3 && std::strcmp(words[3], names[which]) != 0) continue;
    Result result;
    for (const Range& range : ranges) sweep(which, range, result);
    std::printf("%s %.3f %.9g %llu\n", names[which], result.largest, double(result.where), (unsigned long long)result.broken);
  }
  return 0;
}
