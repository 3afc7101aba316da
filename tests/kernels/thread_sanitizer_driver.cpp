// Runs the kernels' parallel regions under ThreadSanitizer.
//
// libgomp is not built with it: its barriers look like no synchronisation at all, and everything after one like a race.
// So this program brings its own OpenMP runtime, the five functions that the kernels use, on std::thread and
// std::mutex, which the sanitizer understands. The kernels are the very same objects, compiled with -fsanitize=thread.
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

#include "sequence.h"

namespace {

struct Team {
  int size;
  std::mutex mutex;
  std::condition_variable changed;
  int waiting = 0, generation = 0, singles = 0;
};
thread_local Team* team = nullptr;
thread_local int number = 0, singles_seen = 0;

}  // namespace

extern "C" {

int omp_get_thread_num() { return number; }
int omp_get_num_threads() { return team ? team->size : 1; }
int omp_get_max_threads() { return 4; }
int omp_in_parallel() { return team != nullptr; }

void GOMP_barrier() {
  std::unique_lock<std::mutex> lock(team->mutex);
  const int generation = team->generation;
  if (++team->waiting == team->size) {
    team->waiting = 0;
    ++team->generation;
    team->changed.notify_all();
  } else {
    team->changed.wait(lock, [&] { return team->generation != generation; });
  }
}

bool GOMP_single_start() {
  std::unique_lock<std::mutex> lock(team->mutex);
  return ++singles_seen > team->singles ? (team->singles = singles_seen, true) : false;
}

void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned) {
  Team mine{int(threads), {}, {}};
  std::vector<std::thread> others;
  const auto run = [&](int index) {
    Team* outer_team = team;
    const int outer_number = number, outer_singles = singles_seen;
    team = &mine, number = index, singles_seen = 0;
    body(data);
    team = outer_team, number = outer_number, singles_seen = outer_singles;
  };
  for (unsigned i = 1; i < threads; ++i) others.emplace_back(run, int(i));
  run(0);
  for (std::thread& other : others) other.join();
}

using Call = int(const GatewiseSequence*);
Call gatewise_rnn_forward, gatewise_rnn_backward, gatewise_lstm_forward, gatewise_lstm_backward, gatewise_gru_forward,
    gatewise_gru_backward, gatewise_mingru_forward, gatewise_mingru_backward, gatewise_minlstm_forward,
    gatewise_minlstm_backward;
void gatewise_mask(uint8_t*, int64_t, uint32_t, uint32_t, uint32_t, int32_t);
}

namespace {

// Numbers that are neither all equal nor random: the same each run.
std::vector<float> numbers(long count) {
  std::vector<float> made(size_t(count > 0 ? count : 1));
  uint32_t state = 12345;
  for (float& value : made) {
    state = state * 1664525u + 1013904223u;
    value = float(state >> 8) / float(1 << 24) - 0.5f;
  }
  return made;
}

void run_sequence(Call* forward, Call* backward, int gates, int saved, long T, long B, long I, long H, int threads,
                  bool ragged, bool options = false) {
  auto x = numbers(T * B * I), wih = numbers(gates * H * I), whh = numbers(gates * H * H), bias = numbers(gates * H);
  auto h0 = numbers(B * H), grad = numbers(T * B * H);
  std::vector<int64_t> lengths(static_cast<size_t>(B));
  for (long b = 0; b < B; ++b) lengths[size_t(b)] = 1 + (b * 7) % T;
  std::vector<float> output(size_t(T * B * H)), hn(size_t(B * H)), cn(hn), cells(output), kept(size_t(T * B * H * saved));
  std::vector<float> gx(x.size()), gh(hn.size()), gc(hn.size()), gwih(wih.size()), gwhh(whh.size()), gb(bias), gb2(bias);
  GatewiseSequence q{};
  q.steps = T, q.batch = B, q.input_size = I, q.hidden_size = H, q.threads = threads, q.training = 1;
  q.x = x.data(), q.x_step_stride = B * I, q.x_batch_stride = I;
  q.weight_ih = wih.data(), q.weight_hh = whh.data(), q.bias_ih = bias.data(), q.bias_hh = bias.data();
  q.h0 = h0.data(), q.output = output.data(), q.h_n = hn.data(), q.gates = kept.data();
  if (gates == 4) q.c0 = h0.data(), q.c_n = cn.data(), q.cells = cells.data();
  if (ragged) q.lengths = lengths.data();
  if (options) q.recurrent_mask = h0.data(), q.zoneout_h = 0.2, q.zoneout_c = 0.1, q.flags = gates == 3;  // GRU: reset before
  q.grad_output = grad.data(), q.grad_output_step_stride = B * H, q.grad_output_batch_stride = H;
  q.grad_x = gx.data(), q.grad_h0 = gh.data(), q.grad_weight_ih = gwih.data(), q.grad_weight_hh = gwhh.data();
  q.grad_bias_ih = gb.data(), q.grad_bias_hh = gb2.data();
  if (gates == 4) q.grad_c0 = gc.data();
  if (forward(&q) != 0 || backward(&q) != 0) std::printf("a call failed\n");
}

// A cell whose gates see the input only; with or without what the way back may find kept.
void run_scan(Call* forward, Call* backward, int gates, bool reverse, bool keep) {
  const long T = 60, B = 13, I = 20, H = 130;  // several chunks on the way back
  auto x = numbers(T * B * I), weight = numbers(gates * H * I), bias = numbers(gates * H), h0 = numbers(B * H);
  auto grad = numbers(T * B * H);
  std::vector<float> last(h0), output(grad.size()), kept(size_t(T * B * gates * H)), gx(x.size()), gw(weight.size());
  std::vector<float> gb(bias.size()), gh(h0.size());
  GatewiseSequence q{};
  q.steps = T, q.batch = B, q.input_size = I, q.hidden_size = H, q.threads = 4, q.training = 1, q.reverse = reverse;
  q.x = x.data(), q.x_step_stride = B * I, q.x_batch_stride = I, q.weight_ih = weight.data(), q.bias_ih = bias.data();
  q.h0 = h0.data(), q.output = output.data(), q.h_n = last.data(), q.gates = keep ? kept.data() : nullptr;
  q.grad_output = grad.data(), q.grad_output_step_stride = B * H, q.grad_output_batch_stride = H;
  q.grad_x = gx.data(), q.grad_h0 = gh.data(), q.grad_weight_ih = gw.data(), q.grad_bias_ih = gb.data();
  if (forward(&q) != 0 || backward(&q) != 0) std::printf("a call failed\n");
}

}  // namespace

int main() {
  const long sizes[][4] = {{3, 9, 5, 33}, {4, 2, 17, 64}, {5, 1, 8, 70}, {2, 24, 64, 16}, {40, 16, 32, 64}};
  const auto everything = [&] {
    for (const auto& s : sizes)
      for (int threads = 1; threads <= 4; ++threads)
        for (bool ragged : {false, true}) {
          run_sequence(gatewise_rnn_forward, gatewise_rnn_backward, 1, 1, s[0], s[1], s[2], s[3], threads, ragged);
          run_sequence(gatewise_lstm_forward, gatewise_lstm_backward, 4, 4, s[0], s[1], s[2], s[3], threads, ragged);
          run_sequence(gatewise_gru_forward, gatewise_gru_backward, 3, 4, s[0], s[1], s[2], s[3], threads, ragged);
        }
    for (long rows = 1; rows <= 3; ++rows) {  // options, with the units or the rows shared
      run_sequence(gatewise_rnn_forward, gatewise_rnn_backward, 1, 1, 20, rows, 40, 70, 3, false, true);
      run_sequence(gatewise_lstm_forward, gatewise_lstm_backward, 4, 4, 20, rows, 40, 70, 3, true, true);
      run_sequence(gatewise_gru_forward, gatewise_gru_backward, 3, 4, 20, rows, 40, 70, 3, true, true);
    }
    run_sequence(gatewise_lstm_forward, gatewise_lstm_backward, 4, 4, 3, 5, 700, 290, 2, true);  // weights beyond a cache
    std::vector<uint8_t> mask(200'001);
    gatewise_mask(mask.data(), int64_t(mask.size()), 1, 2, 1u << 30, 3);
    for (bool keep : {true, false}) {
      run_scan(gatewise_mingru_forward, gatewise_mingru_backward, 2, false, keep);
      run_scan(gatewise_minlstm_forward, gatewise_minlstm_backward, 3, true, keep);
    }
  };
  std::thread beside(everything);  // calls from two threads at once share the pool of scratch memory
  everything();
  beside.join();
  std::printf("done\n");
}
