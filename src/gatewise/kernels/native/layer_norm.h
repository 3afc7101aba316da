// Layer norm of one row (Ba, Kiros, Hinton 2016): (v - mean) / deviation over some gates' units; and the way back.
#pragma once

#include "vector.h"

namespace gatewise {

constexpr float kEpsilon = 1e-5f;  // added to a variance

// f(i, part, lane) for i = 0, W, 2W ... < count, `lane` running 0 1 2 3 0 1 ...: four sums side by side do not wait for
// each other.
template <class Function> GATEWISE_INLINE void in_four_lanes(long count, const Function& f) {
  constexpr int W = kWidth;
  const Part<W> whole(W);
  long i = 0;
  for (; i + 4 * W <= count; i += 4 * W)
#pragma GCC unroll 4
    for (int lane = 0; lane < 4; ++lane) f(i + lane * W, whole, lane);
  for (; i < count; i += W) f(i, Part<W>(count - i), 0);
}

GATEWISE_INLINE float total_of(const Float<kWidth> (&sums)[4]) { return sum((sums[0] + sums[1]) + (sums[2] + sums[3])); }

// What a layer norm says of some gates of a row.
struct Normal {
  float mean = 0.0f, scale = 1.0f;  // 1 / deviation
};

// Of `values` (gates x width, H of each width real, the rest zero): two passes, since the difference of two large sums
// would lose digits.
inline Normal measure_row(const float* values, int gates, long H, long width) {
  constexpr int W = kWidth;
  const float count = float(gates * H);
  Float<W> totals[4] = {}, squares[4] = {};
  in_four_lanes(gates * width, [&](long i, const Part<W>&, int lane) { totals[lane] += load<W>(values + i); });
  const float mean = total_of(totals) / count;
  const Float<W> centre = broadcast<W>(mean);
  for (int gate = 0; gate < gates; ++gate)
    in_four_lanes(H, [&](long u, const Part<W>& part, int lane) {
      // Past the row's end both are zero.
      const Float<W> value = load<W>(values + gate * width + u, part);
      const Float<W> centred = value - (part.full() ? centre : load<W>(reinterpret_cast<const float*>(&centre), part));
      squares[lane] += centred * centred;
    });
  return {mean, 1.0f / __builtin_sqrtf(total_of(squares) / count + kEpsilon)};
}

// `values` (gates x width, H of each width real, the rest zero) becomes (values - mean) / deviation, also written to
// `copy` (gates x H, dense) if given. Returns 1 / deviation.
inline float normalise(float* values, int gates, long H, long width, float* copy = nullptr) {
  constexpr int W = kWidth;
  const float count = float(gates * H);
  Float<W> totals[4] = {}, squares[4] = {};
  in_four_lanes(gates * width, [&](long i, const Part<W>&, int lane) { totals[lane] += load<W>(values + i); });
  const float mean = total_of(totals) / count;
  for (int gate = 0; gate < gates; ++gate)
    in_four_lanes(H, [&](long u, const Part<W>& part, int lane) {
      float* at = values + gate * width + u;
      store(at, part, load<W>(at) - mean);  // lanes beyond H stay zero
      const Float<W> centred = load<W>(at, part);
      squares[lane] += centred * centred;
    });
  const float scale = 1.0f / __builtin_sqrtf(total_of(squares) / count + kEpsilon);
  for (int gate = 0; gate < gates; ++gate)
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const Float<W> value = load<W>(values + gate * width + u) * scale;
      store(values + gate * width + u, value);
      if (copy != nullptr) store(copy + gate * H + u, part, value);
    }
  return scale;
}

// The way back: `normalised` (gates x H, dense) becomes the gradient of the values, given `scale` = 1 / deviation and
// gradient[gate][u] = gradient of the normalised value times its gain at gradient + gate * H.
inline void normalise_backward(const float* gradient, float* normalised, int gates, long H, float scale) {
  constexpr int W = kWidth;
  Float<W> totals[4] = {}, along[4] = {};
  const long count = gates * H;
  in_four_lanes(count, [&](long i, const Part<W>& part, int lane) {
    const Float<W> g = load<W>(gradient + i, part);
    totals[lane] += g;
    along[lane] += g * load<W>(normalised + i, part);
  });
  const float mean = total_of(totals) / float(count), mean_along = total_of(along) / float(count);
  for (long i = 0; i < count; i += W) {
    const Part<W> part(count - i);
    const Float<W> g = load<W>(gradient + i, part), n = load<W>(normalised + i, part);
    store(normalised + i, part, scale * (g - mean - n * mean_along));
  }
}

}  // namespace gatewise
