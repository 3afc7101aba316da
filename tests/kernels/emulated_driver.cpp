// Calls the kernels' C functions on behalf of another process, which may be of another CPU family: emulated.py asks,
// through stdin and stdout. A request is the function's name and every field of GatewiseSequence: a number as it is, an
// array by its bytes. The answer is what the function returned, and every array that it may have written.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "sequence.h"

namespace {
using Call = int(const GatewiseSequence*);
constexpr int kFields = sizeof(GatewiseSequence) / 8;
constexpr std::size_t kGuard = 64;  // bytes behind each array that nothing may write
enum Kind : int64_t { kNumber = 0, kNull = 1, kInput = 2, kOutput = 3 };
}  // namespace

extern "C" {
Call gatewise_rnn_forward, gatewise_rnn_backward, gatewise_lstm_forward, gatewise_lstm_backward, gatewise_gru_forward,
    gatewise_gru_backward, gatewise_mingru_forward, gatewise_mingru_backward, gatewise_minlstm_forward,
    gatewise_minlstm_backward;
void *gatewise_rnn_session(int64_t), *gatewise_lstm_session(int64_t), *gatewise_gru_session(int64_t),
    *gatewise_mingru_session(int64_t), *gatewise_minlstm_session(int64_t);
void* gatewise_session_new(int64_t);
void gatewise_session_delete(void*);
int gatewise_session_add(void*, void*, int64_t, int64_t, int64_t, const float*, const float*, const float*, const float*);
void gatewise_session_step(void*, const float*, float*);
void gatewise_session_state(void*, int32_t, int32_t, int32_t, float*);
}

namespace {

const struct {
  const char* name;
  Call *forward, *backward;
  void* (*session)(int64_t);
} kCells[] = {
    {"rnn", gatewise_rnn_forward, gatewise_rnn_backward, gatewise_rnn_session},
    {"lstm", gatewise_lstm_forward, gatewise_lstm_backward, gatewise_lstm_session},
    {"gru", gatewise_gru_forward, gatewise_gru_backward, gatewise_gru_session},
    {"mingru", gatewise_mingru_forward, gatewise_mingru_backward, gatewise_mingru_session},
    {"minlstm", gatewise_minlstm_forward, gatewise_minlstm_backward, gatewise_minlstm_session},
};

void read(void* to, std::size_t size) {
  if (size > 0 && std::fread(to, 1, size, stdin) != size) std::exit(0);
}
void write(const void* from, std::size_t size) { std::fwrite(from, 1, size, stdout); }

// One stream over all steps of x (T, B, I): outputs, and the last states.
int run_session(void* cell, const GatewiseSequence& q) {
  void* session = gatewise_session_new(q.batch);
  if (gatewise_session_add(session, cell, q.flags, q.input_size, q.hidden_size, q.weight_ih, q.weight_hh, q.bias_ih,
                           q.bias_hh) != 0)
    return 2;
  for (int64_t t = 0; t < q.steps; ++t)
    gatewise_session_step(session, q.x + t * q.x_step_stride, q.output + t * q.batch * q.hidden_size);
  gatewise_session_state(session, 0, 0, 0, q.h_n);
  if (q.c_n != nullptr) gatewise_session_state(session, 0, 1, 0, q.c_n);
  gatewise_session_delete(session);
  return 0;
}

int call(const std::string& cell, const std::string& direction, const GatewiseSequence& q) {
  for (const auto& each : kCells)
    if (cell == each.name)
      return direction == "session"  ? run_session(each.session(q.flags), q)
             : direction == "forward" ? each.forward(&q)
                                      : each.backward(&q);
  return -1;
}

struct Array {
  char* data;
  int64_t kind, size;
};

}  // namespace

int main() {
  for (;;) {
    char words[2][16];
    read(words, sizeof words);
    GatewiseSequence q;
    std::vector<Array> arrays;
    for (int field = 0; field < kFields; ++field) {
      int64_t kind, value;
      read(&kind, 8);
      read(&value, 8);
      if (kind == kInput || kind == kOutput) {
        char* data = static_cast<char*>(std::malloc(std::size_t(value) + kGuard));
        read(data, std::size_t(value));
        std::memset(data + value, 0x5a, kGuard);
        arrays.push_back({data, kind, value});
        value = int64_t(reinterpret_cast<intptr_t>(data));
      }
      std::memcpy(reinterpret_cast<char*>(&q) + 8 * field, &value, 8);
    }
    int64_t status = call(words[0], words[1], q);
    for (const Array& array : arrays)
      for (std::size_t i = 0; i < kGuard; ++i)
        if (array.data[array.size + int64_t(i)] != 0x5a) status = -2;
    write(&status, 8);
    for (const Array& array : arrays) {
      if (array.kind == kOutput) write(array.data, std::size_t(array.size));
      std::free(array.data);
    }
    std::fflush(stdout);
  }
}
