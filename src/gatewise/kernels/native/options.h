// What options do to one row of one step: zoneout, the two sides of a pre-activation, sums over rows and time.
#pragma once

#include "backward.h"
#include "layer_norm.h"

namespace gatewise {

// ---- zoneout ----

// How much of the old value is kept at one place: 0 or 1 from a mask, or the expectation.
struct Zoneout {
  const uint8_t* mask;  // (T, B, H) or null
  float expectation;
  bool on() const { return mask != nullptr || expectation != 0.0f; }

  GATEWISE_INLINE Float<kWidth> bytes(const uint8_t* from, const Part<kWidth>& part) {
    typedef uint8_t Bytes __attribute__((vector_size(kWidth)));
    Bytes read{};
    if (part.full())
      std::memcpy(&read, from, kWidth);
    else
      for (int i = 0; i < part.count; ++i) read[i] = from[i];
    return to_float<kWidth>(__builtin_convertvector(read, Int<kWidth>));
  }
  Float<kWidth> keep(long at, const Part<kWidth>& part) const {
    return mask != nullptr ? bytes(mask + at, part) : broadcast<kWidth>(expectation);
  }
  // keep old + (1 - keep) fresh; with a mask a plain choice, so that an infinity on the other side does no harm.
  Float<kWidth> mix(Float<kWidth> keep, Float<kWidth> old, Float<kWidth> fresh) const {
    if (mask != nullptr) return select(keep > 0.5f, old, fresh);
    return keep * old + (1.0f - keep) * fresh;
  }
};

// ---- the two sides of a pre-activation ----

// One product of one row, gate by gate `width` apart, and what its layer norm says of it.
struct Side {
  const float* products;
  const float *gain, *bias;  // (G H) or null
  float* kept;               // where the normalised values of this row go (G H), or null
  Normal normal[4] = {};     // per gate: gates that are normalised together share theirs

  // W v + b, or LN(W v) gain + b.
  GATEWISE_INLINE Float<kWidth> value(const Side& side, int gate, long unit, long H, long width,
                                      const Part<kWidth>& part) {
    const long at = gate * H + unit;
    Float<kWidth> value = load<kWidth>(side.products + gate * width + unit);
    if (side.gain != nullptr) {
      value = (value - side.normal[gate].mean) * side.normal[gate].scale;
      if (side.kept != nullptr) store(side.kept + at, part, value);
      value *= load<kWidth>(side.gain + at, part);
    }
    if (side.bias != nullptr) value += load<kWidth>(side.bias + at, part);
    return value;
  }
  // Mean and deviation of gates first .. first + gates - 1; 1 / deviation goes to `deviation` if given.
  void measure(int first, int gates, long H, long width, float* deviation) {
    const Normal found = measure_row(products + first * width, gates, H, width);
    for (int gate = first; gate < first + gates; ++gate) normal[gate] = found;
    if (deviation != nullptr) *deviation = found.scale;
  }
};

// One row's products: [input: gates][state: gates], each `width` (padded H) floats.
struct RowParts {
  const Sequence& q;
  long position, gates_size, width;  // t B + b; G H; padded H
  Side input_side, state_side;

  RowParts(const Sequence& q_, long position_, int gates, const float* sums, long width_)
      : q(q_), position(position_), gates_size(gates * q_.hidden_size), width(width_),
        input_side{sums, q.layer_norm_ih, q.bias_ih, keep(q.normalized_x)},
        state_side{sums + gates * width_, q.layer_norm_hh, q.bias_hh, keep(q.normalized_h)} {}

  // Both sides' layer norms over gates first .. first + gates - 1, which are block 0 or 1 of their row.
  void measure(int first, int gates, int block) {
    float* deviations = q.deviations != nullptr ? q.deviations + position * 4 + block : nullptr;
    if (q.layer_norm_ih != nullptr) input_side.measure(first, gates, q.hidden_size, width, deviations);
    if (q.layer_norm_hh != nullptr)
      state_side.measure(first, gates, q.hidden_size, width, deviations != nullptr ? deviations + 2 : nullptr);
  }
  Float<kWidth> input(int gate, long unit, const Part<kWidth>& part) const {
    return Side::value(input_side, gate, unit, q.hidden_size, width, part);
  }
  Float<kWidth> state(int gate, long unit, const Part<kWidth>& part) const {
    return Side::value(state_side, gate, unit, q.hidden_size, width, part);
  }

 private:
  float* keep(float* all) const { return all != nullptr ? all + position * gates_size : nullptr; }
};

// ---- sums over rows and time, one set per thread ----

enum SumRow { kBiasX = 0, kBiasH = 4, kGainX = 8, kGainH = 12, kPeephole = 16, kGainC = 19, kBiasC = 20, kSumRows = 21 };

GATEWISE_INLINE void add_to(float* sums, Float<kWidth> value) { store(sums, load<kWidth>(sums) + value); }

// Total over threads of one row of sums, into `to` (H) if wanted.
inline void gather(float* const* sums, int threads, long row, long width, Range units, float* to) {
  if (to == nullptr) return;
  for (long u = units.begin; u < units.end; ++u) {
    float total = 0.0f;
    for (int thread = 0; thread < threads; ++thread) total += sums[thread][row * width + u];
    to[u] = total;
  }
}

// ---- the way back through both sides of one row ----

// One side: the gradients of its pre-activations (H floats per gate, at gradient[gate]) and its layer norm.
struct SideBack {
  const float* const* gradient;
  const float* gain;         // (gates H), or null: no layer norm
  float* normalised;         // (gates H) in: normalised products; out: the gradients of the products
  float scale;               // 1 / deviation
  float *bias_sums, *gain_sums;  // gate by gate `width` apart; bias_sums null: nobody asks
};

// Adds one row's gradients to the sums of bias and gain and, where the product was normalised, turns `normalised` into
// the gradient of the product: with g = gradient gain and n the normalised value, scale (g - mean g - n mean(g n)).
inline void side_backward(const SideBack& side, int gates, long H, long width) {
  constexpr int W = kWidth;
  Float<W> totals[4] = {}, along[4] = {};
  for (int gate = 0; gate < gates; ++gate) {
    const float* gradient = side.gradient[gate];
    in_four_lanes(H, [&](long u, const Part<W>& part, int lane) {
      const Float<W> d = load<W>(gradient + u, part);
      if (side.bias_sums != nullptr) add_to(side.bias_sums + gate * width + u, d);
      if (side.gain == nullptr) return;
      const Float<W> n = load<W>(side.normalised + gate * H + u, part), dn = d * n;
      const Float<W> gain = load<W>(side.gain + gate * H + u, part);
      add_to(side.gain_sums + gate * width + u, dn);
      totals[lane] += d * gain;
      along[lane] += dn * gain;
    });
  }
  if (side.gain == nullptr) return;
  const float count = float(gates * H), mean = total_of(totals) / count, mean_along = total_of(along) / count;
  for (int gate = 0; gate < gates; ++gate)
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      float* at = side.normalised + gate * H + u;
      const Float<W> g = load<W>(side.gradient[gate] + u, part) * load<W>(side.gain + gate * H + u, part);
      store(at, part, side.scale * (g - mean - load<W>(at, part) * mean_along));
    }
}

// Both sides of gates first .. first + count - 1 of the row at `position`; they are its block 0 or 1, of `gates` in all.
struct Gradients {
  const float* const* input;
  const float* const* state;
};
inline void both_sides_backward(const Sequence& q, long position, int block, const Gradients& gradients, int first,
                                int count, int gates, long width, float* totals) {
  const long H = q.hidden_size, at = (position * gates + first) * H;
  const float* deviations = q.deviations != nullptr ? q.deviations + position * 4 + block : nullptr;
  const auto norm = [&](const float* gain) { return gain != nullptr ? gain + first * H : nullptr; };
  const auto sums = [&](int row) { return totals + (row + first) * width; };
  const bool same = gradients.input[0] == gradients.state[0];  // then gather_all takes the input side's sums for both
  side_backward({gradients.input, norm(q.layer_norm_ih), q.normalized_x ? q.normalized_x + at : nullptr,
                 q.normalized_x ? deviations[0] : 0.0f, sums(kBiasX), sums(kGainX)},
                count, H, width);
  side_backward({gradients.state, norm(q.layer_norm_hh), q.normalized_h ? q.normalized_h + at : nullptr,
                 q.normalized_h ? deviations[2] : 0.0f, same ? nullptr : sums(kBiasH), sums(kGainH)},
                count, H, width);
}

// All sums of the option path for a cell of `gates` gates, of which the first `same` have the same gradient on both sides.
inline void gather_all(const Sequence& q, int gates, int same, float* const* sums, int threads, long width,
                       Range units) {
  const long H = q.hidden_size;
  const auto row = [&](float* base, int gate) { return base != nullptr ? base + gate * H : nullptr; };
  for (int gate = 0; gate < gates; ++gate) {
    gather(sums, threads, kBiasX + gate, width, units, row(q.grad_bias_ih, gate));
    gather(sums, threads, (gate < same ? kBiasX : kBiasH) + gate, width, units, row(q.grad_bias_hh, gate));
    gather(sums, threads, kGainX + gate, width, units, row(q.grad_layer_norm_ih, gate));
    gather(sums, threads, kGainH + gate, width, units, row(q.grad_layer_norm_hh, gate));
    if (gate < gates - 1) gather(sums, threads, kPeephole + gate, width, units, row(q.grad_peephole, gate));
  }
  gather(sums, threads, kGainC, width, units, q.grad_layer_norm_c);
  gather(sums, threads, kBiasC, width, units, q.grad_layer_norm_c_bias);
}

}  // namespace gatewise
