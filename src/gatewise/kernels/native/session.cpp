// One time step of a stack of layers, for streams: state inside, nothing allocated per step, one thread.
//
// A step of a small network lasts a few microseconds and is bound by reading the weights from the second-level cache,
// so they are packed once, when the session is made, into the order in which a step reads them (stream.h).
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "sequence.h"
#include "stream.h"

namespace gatewise {
namespace {

using stream::W;

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

// One layer with its own copy of the weights, packed, and its states.
struct Layer {
  const stream::Cell* cell;
  stream::Layer view;
  Memory weight_ih, weight_hh, bias;                      // what `view` points to
  Memory hidden_state, next_hidden, cell_state, scratch;  // each (B, blocks W)

  long stride() const { return view.blocks * W; }
  void step(long rows, const float* x, long x_stride) const {
    for (long row = 0; row < rows; ++row) {
      const auto here = [&](const Memory& values) { return values ? values.get() + row * stride() : nullptr; };
      cell->step(view, {x + row * x_stride, here(hidden_state), here(next_hidden), here(cell_state), here(scratch)});
    }
  }
};

Memory pack(const float* weight, long hidden, long blocks, long columns, int gates) {
  Memory packed = zeros(blocks * columns * gates * W);
  for (long unit = 0; unit < hidden; ++unit)
    for (int gate = 0; gate < gates; ++gate)
      for (long k = 0; k < columns; ++k)
        packed[((unit / W * columns + k) * gates + gate) * W + unit % W] = weight[(gate * hidden + unit) * columns + k];
  return packed;
}

struct Session {
  long rows;
  std::vector<Layer> layers;

  // x (B,I) -> output (B,H of the last layer).
  void step(const float* x, float* output) {
    const FlushSubnormals flush;
    long stride = layers.front().view.input;
    for (Layer& layer : layers) {
      layer.step(rows, x, stride);
      layer.hidden_state.swap(layer.next_hidden);
      x = layer.hidden_state.get();
      stride = layer.stride();
    }
    const long hidden = layers.back().view.hidden;
    for (long row = 0; row < rows; ++row)
      std::memcpy(output + row * hidden, x + row * stride, size_t(hidden) * sizeof(float));
  }

  void add(const stream::Cell& cell, int64_t flags, long input, long hidden, const float* weight_ih,
           const float* weight_hh, const float* bias_ih, const float* bias_hh) {
    const int gates = cell.gates;
    const long blocks = (hidden + W - 1) / W, states = rows * blocks * W;
    Layer layer{};
    layer.cell = &cell;
    layer.weight_ih = pack(weight_ih, hidden, blocks, input, gates);
    if (cell.recurrent) layer.weight_hh = pack(weight_hh, hidden, blocks, hidden, gates);
    layer.bias = zeros(blocks * (gates + 1) * W);
    for (int gate = 0; gate < gates; ++gate)
      for (long unit = 0; unit < hidden; ++unit) {
        float* here = layer.bias.get() + unit / W * (gates + 1) * W + unit % W;
        const float from_x = bias_ih ? bias_ih[gate * hidden + unit] : 0.0f;
        const float from_h = bias_hh ? bias_hh[gate * hidden + unit] : 0.0f;
        const bool apart = cell.biases_apart && gate == gates - 1;
        here[gate * W] = apart ? from_x : from_x + from_h;
        if (apart) here[gates * W] = from_h;
      }
    layer.hidden_state = zeros(states);
    layer.next_hidden = zeros(states);
    if (cell.second_state) layer.cell_state = zeros(states);
    if (cell.scratch) layer.scratch = zeros(states);
    layer.view = {flags, input, hidden, blocks, layer.weight_ih.get(), layer.weight_hh.get(), layer.bias.get()};
    layers.push_back(std::move(layer));
  }
};

}  // namespace
}  // namespace gatewise

using gatewise::Session;

// A session for `rows` streams at once; null when memory is short.
GATEWISE_EXPORT void* gatewise_session_new(int64_t rows) { return new (std::nothrow) Session{long(rows), {}}; }

GATEWISE_EXPORT void gatewise_session_delete(void* session) { delete static_cast<Session*>(session); }

// Adds a layer on top and copies its weights, laid out as torch does; a null bias is zero. `cell` is what
// gatewise_<cell>_session(flags) gave. 0, or 1 when memory is short.
GATEWISE_EXPORT int32_t gatewise_session_add(void* session, const void* cell, int64_t flags, int64_t input,
                                             int64_t hidden, const float* weight_ih, const float* weight_hh,
                                             const float* bias_ih, const float* bias_hh) try {
  static_cast<Session*>(session)->add(*static_cast<const gatewise::stream::Cell*>(cell), flags, long(input),
                                      long(hidden), weight_ih, weight_hh, bias_ih, bias_hh);
  return 0;
} catch (const std::bad_alloc&) {
  return 1;
}

GATEWISE_EXPORT void gatewise_session_step(void* session, const float* x, float* output) {
  static_cast<Session*>(session)->step(x, output);
}

// Copies a layer's hidden (which = 0) or cell (1) state (B,H) out of the session, or into it.
GATEWISE_EXPORT void gatewise_session_state(void* session, int32_t layer, int32_t which, int32_t into, float* values) {
  auto* self = static_cast<Session*>(session);
  auto& each = self->layers[size_t(layer)];
  float* state = which == 0 ? each.hidden_state.get() : each.cell_state.get();
  for (long row = 0; row < self->rows; ++row) {
    float *inside = state + row * each.stride(), *outside = values + row * each.view.hidden;
    std::memcpy(into ? inside : outside, into ? outside : inside, size_t(each.view.hidden) * sizeof(float));
  }
}
