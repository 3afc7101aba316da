// One time step of a stack of layers, for streams: state inside, nothing allocated per step, one thread.
//
// A step of a small network lasts a few microseconds and is bound by reading the weights from the second-level cache,
// so they are packed once, when the session is made, into the order in which a step reads them: for each block of W
// hidden units, for each input k, the rows of all gates side by side. One block's gates meet in registers, where the
// cell's equations are applied.
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "../mingru/cell.h"
#include "../minlstm/cell.h"

namespace gatewise {
namespace {

constexpr int W = kWidth;
using F = Float<W>;

enum CellKind : int32_t {
  kRnnTanh = 0,
  kRnnRelu = 1,
  kLstm = 2,             // gates i, f, g, o
  kGru = 3,              // gates r, z, n; reset after the product, z keeps
  kGruReplace = 4,       // z replaces
  kGruBefore = 5,        // reset before the product, z keeps
  kGruBeforeReplace = 6,
  kMinGru = 7,           // gates z, n
  kMinLstm = 8,          // gates f, i, n
};

int gates_of(int32_t cell) {
  if (cell <= kRnnRelu) return 1;
  if (cell == kLstm) return 4;
  return cell == kMinGru ? 2 : 3;
}
bool resets_before(int32_t cell) { return cell == kGruBefore || cell == kGruBeforeReplace; }
bool replaces(int32_t cell) { return cell == kGruReplace || cell == kGruBeforeReplace; }
bool is_minimal(int32_t cell) { return cell >= kMinGru; }

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<float[], Free>;

Memory zeros(long count) {
  const size_t bytes = (size_t(count) * sizeof(float) + 127) / 64 * 64;
  float* memory = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0, bytes);
  return Memory(memory);
}

// Widths are rounded up to whole registers inside; the lanes past H have zero weights and are never read outside.
struct Layer {
  int32_t cell;
  long input, hidden, blocks;  // I, H, ceil(H / W)
  Memory weight_ih, weight_hh;  // (blocks, I or H, G, W)
  Memory bias;                  // (blocks, G + 1, W): b_ih + b_hh; of a GRU's candidate b_ih, then b_hh
  Memory hidden_state, next_hidden, cell_state, reset_hidden;  // each (B, blocks W)

  long stride() const { return blocks * W; }
};

Memory pack(const float* weight, long hidden, long blocks, long columns, int gates) {
  Memory packed = zeros(blocks * columns * gates * W);
  for (long unit = 0; unit < hidden; ++unit)
    for (int gate = 0; gate < gates; ++gate)
      for (long k = 0; k < columns; ++k)
        packed[((unit / W * columns + k) * gates + gate) * W + unit % W] = weight[(gate * hidden + unit) * columns + k];
  return packed;
}

// sums[g] += weights (columns, G, W) applied to x (columns), for the gates FIRST to LAST - 1. Several partial sums per
// gate hide the latency of the multiply-add.
template <int G, int FIRST, int LAST> GATEWISE_INLINE void apply(F* sums, const float* weights, const float* x, long columns) {
  constexpr int kChains = LAST - FIRST == 1 ? 8 : LAST - FIRST == 2 ? 4 : 2;
  F partial[kChains][LAST - FIRST] = {};
  long k = 0;
  for (; k + kChains <= columns; k += kChains)
#pragma GCC unroll 8
    for (int chain = 0; chain < kChains; ++chain)
#pragma GCC unroll 4
      for (int g = FIRST; g < LAST; ++g)
        partial[chain][g - FIRST] += x[k + chain] * load_aligned<W>(weights + ((k + chain) * G + g) * W);
  for (; k < columns; ++k)
#pragma GCC unroll 4
    for (int g = FIRST; g < LAST; ++g) partial[0][g - FIRST] += x[k] * load_aligned<W>(weights + (k * G + g) * W);
#pragma GCC unroll 8
  for (int chain = 0; chain < kChains; ++chain)
#pragma GCC unroll 4
    for (int g = FIRST; g < LAST; ++g) sums[g] += partial[chain][g - FIRST];
}

template <int G> GATEWISE_INLINE void start(F* sums, const Layer& layer, long block) {
#pragma GCC unroll 5
  for (int g = 0; g <= G; ++g) sums[g] = load_aligned<W>(layer.bias.get() + (block * (G + 1) + g) * W);
}

const float* panel(const Memory& weights, long block, long columns, int gates) {
  return weights.get() + block * columns * gates * W;
}

// One row of one layer: x (I), h (H) -> next (H). The five families of equations.
void step_rnn(const Layer& layer, const float* x, const float* h, float* next) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[2];
    start<1>(sums, layer, block);
    apply<1, 0, 1>(sums, panel(layer.weight_ih, block, layer.input, 1), x, layer.input);
    apply<1, 0, 1>(sums, panel(layer.weight_hh, block, layer.hidden, 1), h, layer.hidden);
    store_aligned(next + block * W, layer.cell == kRnnTanh ? tanh(sums[0]) : larger(F{}, sums[0]));
  }
}

void step_lstm(const Layer& layer, const float* x, const float* h, float* c, float* next) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[5];
    start<4>(sums, layer, block);
    apply<4, 0, 4>(sums, panel(layer.weight_ih, block, layer.input, 4), x, layer.input);
    apply<4, 0, 4>(sums, panel(layer.weight_hh, block, layer.hidden, 4), h, layer.hidden);
    const F cell = sigmoid(sums[1]) * load_aligned<W>(c + block * W) + sigmoid(sums[0]) * tanh(sums[2]);
    store_aligned(c + block * W, cell);
    store_aligned(next + block * W, sigmoid(sums[3]) * tanh(cell));
  }
}

GATEWISE_INLINE F blend(const Layer& layer, F update, F old, F candidate) {
  return replaces(layer.cell) ? old + update * (candidate - old) : candidate + update * (old - candidate);
}

// Reset after the product: n = tanh(W_in x + b_in + r * (W_hn h + b_hn)).
void step_gru(const Layer& layer, const float* x, const float* h, float* next) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[4], product[3] = {};
    start<3>(sums, layer, block);
    product[2] = sums[3];
    apply<3, 0, 3>(sums, panel(layer.weight_ih, block, layer.input, 3), x, layer.input);
    apply<3, 0, 3>(product, panel(layer.weight_hh, block, layer.hidden, 3), h, layer.hidden);
    const F reset = sigmoid(sums[0] + product[0]), update = sigmoid(sums[1] + product[1]);
    const F candidate = tanh(sums[2] + reset * product[2]);
    store_aligned(next + block * W, blend(layer, update, load_aligned<W>(h + block * W), candidate));
  }
}

// Reset before the product: n = tanh(W_in x + b_in + W_hn (r * h) + b_hn); all of r is needed before any n.
void step_gru_before(const Layer& layer, const float* x, const float* h, float* reset_hidden, float* next) {
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[4];
    start<3>(sums, layer, block);
    apply<3, 0, 2>(sums, panel(layer.weight_ih, block, layer.input, 3), x, layer.input);
    apply<3, 0, 2>(sums, panel(layer.weight_hh, block, layer.hidden, 3), h, layer.hidden);
    store_aligned(reset_hidden + block * W, sigmoid(sums[0]) * load_aligned<W>(h + block * W));
    store_aligned(next + block * W, sigmoid(sums[1]));
  }
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[4];
    start<3>(sums, layer, block);
    sums[2] += sums[3];
    apply<3, 2, 3>(sums, panel(layer.weight_ih, block, layer.input, 3), x, layer.input);
    apply<3, 2, 3>(sums, panel(layer.weight_hh, block, layer.hidden, 3), reset_hidden, layer.hidden);
    const F update = load_aligned<W>(next + block * W);
    store_aligned(next + block * W, blend(layer, update, load_aligned<W>(h + block * W), tanh(sums[2])));
  }
}

template <class Cell> void step_minimal(const Layer& layer, const float* x, const float* h, float* next) {
  constexpr int G = Cell::kGates;
  for (long block = 0; block < layer.blocks; ++block) {
    F sums[G + 1];
    start<G>(sums, layer, block);
    apply<G, 0, G>(sums, panel(layer.weight_ih, block, layer.input, G), x, layer.input);
    store_aligned(next + block * W, Cell::step(sums, load_aligned<W>(h + block * W)));
  }
}

void step_row(const Layer& layer, long row, const float* x) {
  const long at = row * layer.stride();
  const float* h = layer.hidden_state.get() + at;
  float* next = layer.next_hidden.get() + at;
  if (layer.cell <= kRnnRelu) return step_rnn(layer, x, h, next);
  if (layer.cell == kLstm) return step_lstm(layer, x, h, layer.cell_state.get() + at, next);
  if (layer.cell == kMinGru) return step_minimal<MinGru>(layer, x, h, next);
  if (layer.cell == kMinLstm) return step_minimal<MinLstm>(layer, x, h, next);
  if (resets_before(layer.cell)) return step_gru_before(layer, x, h, layer.reset_hidden.get() + at, next);
  step_gru(layer, x, h, next);
}

struct Session {
  long rows;
  std::vector<Layer> layers;

  // x (B,I) -> output (B,H of the last layer).
  void step(const float* x, float* output) {
    const FlushSubnormals flush;
    long stride = layers.front().input;
    for (Layer& layer : layers) {
      for (long row = 0; row < rows; ++row) step_row(layer, row, x + row * stride);
      layer.hidden_state.swap(layer.next_hidden);
      x = layer.hidden_state.get();
      stride = layer.stride();
    }
    const long hidden = layers.back().hidden;
    for (long row = 0; row < rows; ++row)
      std::memcpy(output + row * hidden, x + row * stride, size_t(hidden) * sizeof(float));
  }

  void add(int32_t cell, long input, long hidden, const float* weight_ih, const float* weight_hh, const float* bias_ih,
           const float* bias_hh) {
    const int gates = gates_of(cell);
    Layer layer{};
    layer.cell = cell, layer.input = input, layer.hidden = hidden, layer.blocks = (hidden + W - 1) / W;
    layer.weight_ih = pack(weight_ih, hidden, layer.blocks, input, gates);
    if (!is_minimal(cell)) layer.weight_hh = pack(weight_hh, hidden, layer.blocks, hidden, gates);
    layer.bias = zeros(layer.blocks * (gates + 1) * W);
    const bool split = cell >= kGru && !is_minimal(cell);
    for (int gate = 0; gate < gates; ++gate)
      for (long unit = 0; unit < hidden; ++unit) {
        float* here = layer.bias.get() + unit / W * (gates + 1) * W + unit % W;
        const float from_x = bias_ih ? bias_ih[gate * hidden + unit] : 0.0f;
        const float from_h = bias_hh ? bias_hh[gate * hidden + unit] : 0.0f;
        const bool apart = split && gate == 2;
        here[gate * W] = apart ? from_x : from_x + from_h;
        if (apart) here[3 * W] = from_h;
      }
    layer.hidden_state = zeros(rows * layer.stride());
    layer.next_hidden = zeros(rows * layer.stride());
    if (cell == kLstm) layer.cell_state = zeros(rows * layer.stride());
    if (resets_before(cell)) layer.reset_hidden = zeros(rows * layer.stride());
    layers.push_back(std::move(layer));
  }
};

}  // namespace
}  // namespace gatewise

#define EXPORTED extern "C" __attribute__((visibility("default")))
using gatewise::Session;

// A session for `rows` streams at once; null when memory is short.
EXPORTED void* gatewise_session_new(int64_t rows) { return new (std::nothrow) Session{long(rows), {}}; }

EXPORTED void gatewise_session_delete(void* session) { delete static_cast<Session*>(session); }

// Adds a layer on top and copies its weights, laid out as torch does; a null bias is zero. 0, or 1 when memory is short.
EXPORTED int32_t gatewise_session_add(void* session, int32_t cell, int64_t input, int64_t hidden, const float* weight_ih,
                                      const float* weight_hh, const float* bias_ih, const float* bias_hh) try {
  static_cast<Session*>(session)->add(cell, long(input), long(hidden), weight_ih, weight_hh, bias_ih, bias_hh);
  return 0;
} catch (const std::bad_alloc&) {
  return 1;
}

EXPORTED void gatewise_session_step(void* session, const float* x, float* output) {
  static_cast<Session*>(session)->step(x, output);
}

// Copies a layer's hidden (which = 0) or cell (1) state (B,H) out of the session, or into it.
EXPORTED void gatewise_session_state(void* session, int32_t layer, int32_t which, int32_t into, float* values) {
  auto* self = static_cast<Session*>(session);
  auto& each = self->layers[size_t(layer)];
  float* state = which == 0 ? each.hidden_state.get() : each.cell_state.get();
  for (long row = 0; row < self->rows; ++row) {
    float *inside = state + row * each.stride(), *outside = values + row * each.hidden;
    std::memcpy(into ? inside : outside, into ? outside : inside, size_t(each.hidden) * sizeof(float));
  }
}
