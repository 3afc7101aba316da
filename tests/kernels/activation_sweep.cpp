// Largest error of exp, sigmoid and tanh over float32 inputs, against double precision.
//
//   activation_sweep STRIDE [NAME]   every STRIDE-th of the 2^32 bit patterns (1: all of them); NAME: one function only
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

int main(int count, char** words) {
  const uint64_t stride = count > 1 ? std::strtoull(words[1], nullptr, 10) : 1;
  const char* names[] = {"exp", "sigmoid", "tanh"};
  for (int which = 0; which < 3; ++which) {
    if (count > 2 && std::strcmp(words[2], names[which]) != 0) continue;
    double largest = 0;
    float where = 0;
    uint64_t broken = 0;
    for (uint64_t first = 0; first < (uint64_t(1) << 32); first += stride * kWidth) {
      float input[kWidth], output[kWidth];
      for (int i = 0; i < kWidth; ++i) {
        const uint32_t bits = uint32_t(first + stride * i);
        std::memcpy(&input[i], &bits, 4);
      }
      store(output, approximate(which, load<kWidth>(input)));
      for (int i = 0; i < kWidth; ++i) {
        const double want = exact(which, input[i]);
        broken += !(which == 0 && input[i] > 0) && breaks_rule(input[i], output[i], want);
        if (!std::isfinite(input[i]) || std::fabs(want) < 0x1p-126 || (which == 0 && input[i] > 0)) continue;
        const double error = error_in_ulp(output[i], want);
        if (error > largest || std::isnan(error)) largest = error, where = input[i];
      }
    }
    std::printf("%s %.3f %.9g %llu\n", names[which], largest, double(where), (unsigned long long)broken);
  }
  return 0;
}
