// sigmoid, tanh and exp (of negative numbers) on Float<W>: within 2 ulp of the exact value for every float32 input.
//
// Largest error over all 2^32 inputs against double precision, in units in the last place of the exact result:
//                  fused multiply-add (AVX-512, AVX2, NEON)    without (SSE2)
//     exp, x <= 0              1.010                               0.977
//     sigmoid                  1.999                               1.999
//     tanh                     1.929                               1.960
// (tests/kernels/activation_sweep.cpp). NaN gives NaN; tanh is exactly +-1 at the infinities. Where the exact exp or
// sigmoid is subnormal (below 2^-126, left of -87.34) the result is some number from 0 to 2^-126; the kernels run with
// subnormals flushed to zero, so there it is 0.
#pragma once

#include "vector.h"

namespace gatewise {

// Adding 1.5 2^23 rounds to whole numbers and leaves them in the low bits; 127 more is the exponent's offset, so that
// shifting those bits by 23 makes 2^whole without a conversion (0 for whole = -127).
constexpr float kRound = 12582912.0f + 127.0f;
constexpr float kLog2E = 1.44269504088896341f;
// ln 2 in two parts: the first has so few bits that whole * kLn2High is exact.
constexpr float kLn2High = 0.693359375f;
constexpr float kLn2Low = -2.12194440e-4f;

// e^x = power (1 + rest) for -88 <= x <= 88.3 (NaN passes): power = 2^n, n = round(x / ln 2), r = x - n ln 2, and
// rest = e^r - 1 = r + r^2 q(r) for |r| <= 0.348, q of degree 4 fitted for the least largest relative error (3e-9).
// power is zero for x < -87.68.
template <class F> struct Exponential {
  F power, rest;
};
template <class F> GATEWISE_INLINE Exponential<F> exponential(F x) {
  const F rounded = x * kLog2E + kRound;
  const F n = rounded - kRound;
  const F r = (x - n * kLn2High) - n * kLn2Low;
  F q = 1.3814173871651292e-3f * r + 8.368921466171741e-3f;
  q = q * r + 4.166840761899948e-2f;
  q = q * r + 1.666651964187622e-1f;
  q = q * r + 4.999999403953552e-1f;
  return {from_bits<lanes<F>>(bits_of(rounded) << 23), (r * r) * q + r};
}

// e^x for x <= 0: a number in [0, 1], the weight of one term among several.
template <class F> GATEWISE_INLINE F exp_of_negative(F x) {
  const Exponential<F> e = exponential(larger(broadcast<lanes<F>>(-88.0f), x));
  return e.power * e.rest + e.power;
}

// sigmoid(x) = 1 / (1 + e^-x), with 1 + e^-x summed as (1 + 2^n rest) + 2^n: the coarse rounding happens once.
template <class F> GATEWISE_INLINE F sigmoid(F x) {
  constexpr int W = lanes<F>;
  const Exponential<F> e = exponential(larger(broadcast<W>(-88.0f), smaller(broadcast<W>(88.3f), -x)));
  return 1.0f / ((e.power * e.rest + 1.0f) + e.power);
}

// A gate and what it leaves: open = sigmoid(x), shut = 1 - sigmoid(x) = e^-x / (1 + e^-x), each with its own relative
// accuracy (the difference 1 - open would lose all digits of `shut` where the gate is nearly open). The limit 87.3 keeps
// `open` a normal number: flushed to zero it would take `shut`, which is then 1, with it.
template <class F> struct Gate {
  F open, shut;
};
template <class F> GATEWISE_INLINE Gate<F> gate(F x) {
  constexpr int W = lanes<F>;
  const Exponential<F> e = exponential(larger(broadcast<W>(-88.0f), smaller(broadcast<W>(87.3f), -x)));
  const F open = 1.0f / ((e.power * e.rest + 1.0f) + e.power);
  return {open, (e.power * e.rest + e.power) * open};
}

// tanh(x) = (1 - z) / (1 + z) for x >= 0, where z = e^(-2x); odd in x. With z = 2^n (1 + rest), s = -x - n ln(2) / 2,
// rest = e^(2s) - 1: 1 - z = (1 - 2^n) - 2^n rest, which keeps its relative accuracy near 0. One part of ln 2 is
// enough here: an error in s counts less the larger |n| is.
template <class F> GATEWISE_INLINE F tanh(F x) {
  constexpr int W = lanes<F>;
  const F negative = larger(broadcast<W>(-10.0f), -absolute(x));
  const F rounded = negative * (2.0f * kLog2E) + kRound;
  const F s = negative - (rounded - kRound) * 0.346573590279972655f;
  const F power = from_bits<W>(bits_of(rounded) << 23);
  // rest = 2s + s^2 q(s) for |s| <= 0.174, largest relative error 1.3e-8
  F q = 8.884790539741516e-2f * s + 2.677348256111145e-1f;
  q = q * s + 6.666752696037292e-1f;
  q = q * s + 1.333323359489441f;
  q = q * s + 1.9999998807907104f;
  const F rest = (s * s) * q + 2.0f * s;
  const F magnitude = ((1.0f - power) - power * rest) / ((1.0f + power) + power * rest);
  return from_bits<W>(bits_of(magnitude) | sign_bit(x));
}

}  // namespace gatewise
