// The long short-term memory over whole sequences, with its gradients: the equations of this folder's README.md.
//
// Options, which go by whole rows: peepholes, coupled gates, layer norm of the products and of the cell that is shown,
// zoneout of h and c, recurrent dropout.
#include "../native/run.h"
#include "../native/stream.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using V = Float<W>;

enum Flags : int64_t { kCoupled = 1 };  // as in info.py

struct Lstm {
  const Sequence& q;
  const bool extra = coupled() || q.recurrent_mask != nullptr || q.peephole != nullptr ||
                     q.layer_norm_ih != nullptr || q.layer_norm_hh != nullptr || q.layer_norm_c != nullptr ||
                     zoneout_h().on() || zoneout_c().on();
  static constexpr bool kUnitPanels = false;
  static constexpr bool kHasCell = true;
  static constexpr int kOrder[4] = {0, 1, 2, 3};

  Zoneout zoneout_h() const { return {q.zoneout_h_mask, float(q.zoneout_h)}; }
  Zoneout zoneout_c() const { return {q.zoneout_c_mask, float(q.zoneout_c)}; }
  bool coupled() const { return (q.flags & kCoupled) != 0; }
  static constexpr bool resets_before() { return false; }
  int gates() const { return coupled() ? 3 : 4; }
  long gates_size() const { return gates() * q.hidden_size; }
  const int* order() const { return kOrder; }
  Product product() const { return Product::kFour; }
  int slots() const { return gates(); }
  int input_slots() const { return gates(); }
  int state_slots() const { return gates(); }
  bool whole_rows() const { return extra; }
  long saved_size() const { return gates_size(); }
  long backward_stride(long width) const { return (2 + gates()) * width; }
  bool carries() const { return extra; }
  const float* recurrent_gradient() const { return q.normalized_h != nullptr ? q.normalized_h : q.gates; }
  const float* input_gradient() const { return q.normalized_x != nullptr ? q.normalized_x : q.gates; }
  long recurrent_size() const { return gates_size(); }
  long input_gradient_size() const { return gates_size(); }
  Stretches recurrent_stretches() const { return {{0, 0}, {gates_size(), 0}}; }
  Stretches input_stretches() const { return recurrent_stretches(); }
  int bias_sums() const { return extra ? int(kSumRows) : 4; }
  float start(int slot, long unit) const {
    const long at = slot * q.hidden_size + unit;
    return (q.bias_ih != nullptr ? q.bias_ih[at] : 0.0f) + (q.bias_hh != nullptr ? q.bias_hh[at] : 0.0f);
  }

  void forward(const Step& step, const Tile& tile) const {
    const long H = q.hidden_size, unit = tile.unit;
    const Part<W> part(H - unit);
    for (int r = 0; r < tile.rows; ++r) {
      const float* sums = tile.sums + r * tile.row_stride;
      const long row = tile.first_row + r, p = step.position[row];
      const V i = sigmoid(load<W>(sums)), f = sigmoid(load<W>(sums + tile.slot_stride));
      const V g = tanh(load<W>(sums + 2 * tile.slot_stride)), o = sigmoid(load<W>(sums + 3 * tile.slot_stride));
      const V c = f * load<W>(step.c[row] + unit, part) + i * g;
      store(step.c_new[row] + unit, part, c);
      store(q.output + p * H + unit, part, o * tanh(c));
      if (q.gates == nullptr) continue;
      float* kept = q.gates + p * 4 * H + unit;
      store(kept, part, i);
      store(kept + H, part, f);
      store(kept + 2 * H, part, g);
      store(kept + 3 * H, part, o);
    }
  }

  // Asks memory for what `backward` will read of a tile.
  void fetch(const BackwardStep& step, const Tile& tile) const {
    const long H = q.hidden_size;
    for (int r = 0; r < tile.rows; ++r) {
      const long row = tile.first_row + r;
      for (int gate = 0; gate < 4; ++gate) fetch_units(q.gates + (step.position[row] * 4 + gate) * H, tile);
      fetch_units(step.c[row], tile);
      fetch_units(step.grad_output[row], tile);
    }
  }

  void backward(const BackwardStep& step, const BackwardShared& shared, const Tile& tile, float* bias) const {
    const long H = q.hidden_size, width = round_up(H, W);
    for (int v = 0; v < tile.slots; ++v) {
      const long unit = tile.unit + v * W;
      const Part<W> part(H - unit);
      V sum_i{}, sum_f{}, sum_g{}, sum_o{};
      for (int r = 0; r < tile.rows; ++r) {
        const long row = tile.first_row + r, p = step.position[row];
        float* kept = q.gates + p * 4 * H + unit;
        float* carried = shared.carried_c + step.batch[row] * H + unit;
        const V i = load<W>(kept, part), f = load<W>(kept + H, part), g = load<W>(kept + 2 * H, part),
                o = load<W>(kept + 3 * H, part), c_before = load<W>(step.c[row] + unit, part);
        const V shown = tanh(f * c_before + i * g);
        const V dh = load<W>(tile.sums + r * tile.row_stride + v * W) + load<W>(step.grad_output[row] + unit, part) +
                     load<W>(step.carried[row] + unit, part);
        const V dc = load<W>(carried, part) + dh * o * (1.0f - shown * shown);
        const V d_o = dh * shown * (o * (1.0f - o));
        const V d_i = dc * g * (i * (1.0f - i));
        const V d_f = dc * c_before * (f * (1.0f - f));
        const V d_g = dc * i * (1.0f - g * g);
        store(carried, part, dc * f);
        store(kept, part, d_i);
        store(kept + H, part, d_f);
        store(kept + 2 * H, part, d_g);
        store(kept + 3 * H, part, d_o);
        sum_i += d_i, sum_f += d_f, sum_g += d_g, sum_o += d_o;
      }
      store(bias + unit, load<W>(bias + unit) + sum_i);
      store(bias + width + unit, load<W>(bias + width + unit) + sum_f);
      store(bias + 2 * width + unit, load<W>(bias + 2 * width + unit) + sum_g);
      store(bias + 3 * width + unit, load<W>(bias + 3 * width + unit) + sum_o);
    }
  }

  // The gates of one row from its products (input gates x width, then state gates x width), every option allowed.
  void forward_row(const Step& step, long row, float* sums, long width) const {
    const long H = q.hidden_size, p = step.position[row], G = gates();
    RowParts parts(q, p, int(G), sums, width);
    parts.measure(0, int(G), 0);
    float *shown = sums, *output_gate = sums + width;  // over products already used
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V before = load<W>(step.c[row] + u, part);
      V total[4];
      for (int gate = 0; gate < G; ++gate) total[gate] = parts.input(gate, u, part) + parts.state(gate, u, part);
      const int first = coupled() ? 0 : 1;  // the forget gate's place
      if (q.peephole != nullptr)
        for (int gate = 0; gate <= first; ++gate) total[gate] += load<W>(q.peephole + gate * H + u, part) * before;
      const V f = sigmoid(total[first]), i = coupled() ? 1.0f - f : sigmoid(total[0]), g = tanh(total[first + 1]);
      const V c = f * before + i * g;
      if (q.peephole != nullptr) total[G - 1] += load<W>(q.peephole + (G - 2) * H + u, part) * c;
      const V o = sigmoid(total[G - 1]);
      const Zoneout zone = zoneout_c();
      store(step.c_new[row] + u, part, zone.on() ? zone.mix(zone.keep(p * H + u, part), before, c) : c);
      store(shown + u, part.full() ? c : only(part, c));
      store(output_gate + u, o);
      if (q.gates == nullptr) continue;
      float* kept = q.gates + p * G * H + u;
      if (!coupled()) store(kept, part, i);
      store(kept + first * H, part, f);
      store(kept + (first + 1) * H, part, g);
      store(kept + (G - 1) * H, part, o);
    }
    if (q.layer_norm_c != nullptr) normalise(shown, 1, H, width);
    const Zoneout zone = zoneout_h();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V h = load<W>(output_gate + u) * tanh(shown_cell(load<W>(shown + u), u, part));
      store(q.output + p * H + u, part,
            zone.on() ? zone.mix(zone.keep(p * H + u, part), load<W>(step.h[row] + u, part), h) : h);
    }
  }

  // Lanes inside the array, the others zero.
  static V only(const Part<W>& part, V value) {
    float lanes_[W];
    store(lanes_, value);
    return load<W>(lanes_, part);
  }
  // What stands inside the last tanh: c, or its normalised form with gain and bias.
  V shown_cell(V value, long u, const Part<W>& part) const {
    if (q.layer_norm_c != nullptr) value *= load<W>(q.layer_norm_c + u, part);
    if (q.layer_norm_c_bias != nullptr) value += load<W>(q.layer_norm_c_bias + u, part);
    return value;
  }

  // One row's gradients. `sums` holds the recurrent product's part of dh, then free space.
  void backward_row(const BackwardStep& step, const BackwardShared& shared, long row, float* sums, long width,
                    float* totals) const {
    const long H = q.hidden_size, p = step.position[row], b = step.batch[row], G = gates();
    float *kept = q.gates + p * G * H, *cell = sums + width, *space = sums + 2 * width;
    const float scale = show_again(step, shared, row, sums, cell);
    show_backward(p, sums, cell, kept, scale, space, width, totals);
    const int first = coupled() ? 0 : 1;
    const Zoneout zone = zoneout_c();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      float* carried = shared.carried_c + b * H + u;
      const V f = load<W>(kept + first * H + u, part), g = load<W>(kept + (first + 1) * H + u, part);
      const V i = coupled() ? 1.0f - f : load<W>(kept + u, part), before = load<W>(step.c[row] + u, part);
      const V d_o = load<W>(kept + (G - 1) * H + u, part), d_later = load<W>(carried, part);
      const V keep = zone.on() ? zone.keep(p * H + u, part) : zero<W>();
      V dc = load<W>(sums + u) + (zone.on() ? zone.mix(keep, zero<W>(), d_later) : d_later);
      if (q.peephole != nullptr) {
        dc += d_o * load<W>(q.peephole + (G - 2) * H + u, part);
        add_to(totals + (kPeephole + G - 2) * width + u, d_o * (f * before + i * g));
      }
      const V d_i = dc * g * (i * (1.0f - i));
      const V d_f = dc * (coupled() ? before - g : before) * (f * (1.0f - f));
      V d_before = dc * f;
      if (zone.on()) d_before += zone.mix(keep, d_later, zero<W>());
      if (q.peephole != nullptr) {
        d_before += d_f * load<W>(q.peephole + first * H + u, part);
        add_to(totals + (kPeephole + first) * width + u, d_f * before);
        if (!coupled()) {
          d_before += d_i * load<W>(q.peephole + u, part);
          add_to(totals + kPeephole * width + u, d_i * before);
        }
      }
      store(carried, part, d_before);
      if (!coupled()) store(kept + u, part, d_i);
      store(kept + first * H + u, part, d_f);
      store(kept + (first + 1) * H + u, part, dc * i * (1.0f - g * g));
    }
    const float* gradient[4] = {kept, kept + H, kept + 2 * H, kept + 3 * H};
    both_sides_backward(q, p, 0, {gradient, gradient}, 0, int(G), int(G), width, totals);
  }

  // sums becomes the gradient of the un-zoned h, carried_h what goes round it; `cell` becomes c', normalised where on.
  float show_again(const BackwardStep& step, const BackwardShared& shared, long row, float* sums, float* cell) const {
    const long H = q.hidden_size, p = step.position[row], b = step.batch[row], G = gates();
    const float* kept = q.gates + p * G * H;
    const int first = coupled() ? 0 : 1;
    const Zoneout zone = zoneout_h();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      V dh = load<W>(sums + u);
      if (q.recurrent_mask != nullptr) dh *= load<W>(q.recurrent_mask + b * H + u, part);
      dh += load<W>(step.grad_output[row] + u, part) + load<W>(step.carried[row] + u, part);
      V past{};
      if (zone.on()) {
        const V keep = zone.keep(p * H + u, part);
        past = zone.mix(keep, dh, zero<W>());
        dh = zone.mix(keep, zero<W>(), dh);
      }
      store(shared.carried_h + b * H + u, part, past);
      store(sums + u, dh);
      const V f = load<W>(kept + first * H + u, part), g = load<W>(kept + (first + 1) * H + u, part);
      const V i = coupled() ? 1.0f - f : load<W>(kept + u, part);
      store(cell + u, only(part, f * load<W>(step.c[row] + u, part) + i * g));
    }
    return q.layer_norm_c != nullptr ? normalise(cell, 1, H, round_up(H, W)) : 0.0f;
  }

  // Through h = o tanh(shown): the output gate's gradient goes to its place in `kept`, sums becomes the gradient of c'.
  void show_backward(long, float* sums, float* cell, float* kept, float scale, float* space, long width,
                     float* totals) const {
    const long H = q.hidden_size, G = gates();
    for (long u = 0; u < H; u += W) {
      const Part<W> part(H - u);
      const V value = load<W>(cell + u), o = load<W>(kept + (G - 1) * H + u, part), dh = load<W>(sums + u);
      const V shown = tanh(shown_cell(value, u, part));
      const V d_shown = dh * o * (1.0f - shown * shown);
      store(kept + (G - 1) * H + u, part, dh * shown * (o * (1.0f - o)));
      if (q.layer_norm_c_bias != nullptr) add_to(totals + kBiasC * width + u, d_shown);
      if (q.layer_norm_c == nullptr) {
        store(sums + u, d_shown);
        continue;
      }
      add_to(totals + kGainC * width + u, d_shown * value);
      store(space + u, part, d_shown * load<W>(q.layer_norm_c + u, part));
    }
    if (q.layer_norm_c == nullptr) return;
    normalise_backward(space, cell, 1, H, scale);
    std::memcpy(sums, cell, H * sizeof(float));
  }

  int input_products(const float** x, OuterProduct* products) const {
    if (q.grad_weight_ih == nullptr) return 0;
    products[0] = {x, q.input_size, {{0, gates_size(), q.grad_weight_ih}, {}}};
    return 1;
  }
  int state_products(const float** h, const float**, OuterProduct* products) const {
    if (q.grad_weight_hh == nullptr) return 0;
    products[0] = {h, q.hidden_size, {{0, gates_size(), q.grad_weight_hh}, {}}};
    return 1;
  }

  void forward_reset(const Step&, long, float*, long, float*) const {}
  void backward_reset(const BackwardStep&, const BackwardShared&, long, float*, long, float*) const {}

  void finish_gradients(float* const* sums, int threads, long width, Range units) const {
    if (extra) return gather_all(q, gates(), gates(), sums, threads, width, units);
    for (int gate = 0; gate < 4; ++gate) {
      gather(sums, threads, gate, width, units, q.grad_bias_ih ? q.grad_bias_ih + gate * q.hidden_size : nullptr);
      gather(sums, threads, gate, width, units, q.grad_bias_hh ? q.grad_bias_hh + gate * q.hidden_size : nullptr);
    }
  }
};

}  // namespace

// ---- one step of a stream ----

namespace stream {
namespace {

void step(const Layer& layer, const Row& row) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[5];
    start<4>(sums, layer, block);
    apply<4, 0, 4>(sums, panel(layer.weight_ih, block, layer.input, 4), row.x, layer.input);
    apply<4, 0, 4>(sums, panel(layer.weight_hh, block, layer.hidden, 4), row.h, layer.hidden);
    const F cell = sigmoid(sums[1]) * load_aligned<W>(row.cell + block * W) + sigmoid(sums[0]) * tanh(sums[2]);
    store_aligned(row.cell + block * W, cell);
    store_aligned(row.next + block * W, sigmoid(sums[3]) * tanh(cell));
  }
}

}  // namespace
}  // namespace stream
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_lstm_forward(const GatewiseSequence* sequence) {
  return gatewise::run_forward(gatewise::Lstm{*sequence}, *sequence);
}

GATEWISE_EXPORT int64_t gatewise_lstm_packed(const GatewiseSequence* sequence) {
  return gatewise::packed_size(gatewise::Lstm{*sequence}, *sequence);
}

GATEWISE_EXPORT int gatewise_lstm_backward(const GatewiseSequence* sequence) {
  return gatewise::run_backward(gatewise::Lstm{*sequence}, *sequence);
}

GATEWISE_EXPORT const void* gatewise_lstm_session(int64_t) {
  static constexpr gatewise::stream::Cell cell{4, true, true, false, false, gatewise::stream::step};
  return &cell;
}
