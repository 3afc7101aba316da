// A call of a stack of plain layers without gradients, from Python's objects to Python's objects: binding.py has the
// Python side and says what each argument is.
//
// What this is compiled against is stable: Python's limited API, DLPack's C exchange interface, by which torch lends a
// tensor's address, sizes and strides, and interface.h, whose key must fit. It includes no header of torch.
#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "interface.h"

namespace {

// ---- what DLPack 1 says of a tensor ----

struct Lent {
  void* data;
  int32_t device, device_index;
  int32_t rank;
  uint8_t kind, bits;
  uint16_t lanes;
  int64_t *shape, *strides;  // strides count elements
  uint64_t offset;           // bytes

  const float* begin() const { return reinterpret_cast<const float*>(static_cast<char*>(data) + offset); }
  bool is_float32_on_cpu() const { return device == 1 && kind == 2 && bits == 32 && lanes == 1; }
  bool is_dense() const {
    int64_t expected = 1;
    for (int axis = rank - 1; axis >= 0; --axis) {
      if (shape[axis] != 1 && strides[axis] != expected) return false;
      expected *= shape[axis];
    }
    return true;
  }
  bool has_shape(const std::vector<int64_t>& expected) const {
    if (rank != int32_t(expected.size())) return false;
    for (int axis = 0; axis < rank; ++axis)
      if (shape[axis] != expected[axis]) return false;
    return true;
  }
};

struct Exchange {
  uint32_t major, minor;
  void* older;
  void *allocate, *export_owned, *import_owned;
  int (*lend)(void* object, Lent* lent);  // 0, or -1 with a Python error
  void* stream;
};

// ---- Python's objects ----

struct Release {
  void operator()(PyObject* object) const { Py_XDECREF(object); }
};
using Owned = std::unique_ptr<PyObject, Release>;

Owned keep(PyObject* borrowed) {
  Py_XINCREF(borrowed);
  return Owned(borrowed);
}

std::vector<Owned> items_of(PyObject* tuple) {
  std::vector<Owned> items;
  for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); ++i) items.push_back(keep(PyTuple_GetItem(tuple, i)));
  return items;
}

PyObject *parameters_name, *version_name, *empty_name, *strided_name, *negative_name;

// ---- what a call needs to know ----

struct Place {
  int (*forward)(const GatewiseSequence*);
  GatewiseSequence known;
};

struct Weight {
  Owned name;
  std::vector<int64_t> shape;
  size_t place, field;  // whose argument it is, and where that stands, in bytes
  Owned packed;         // the tensor that was packed, at this version and address; or null
  long version;
  const void* address;
};

struct Plan {
  const Exchange* exchange;
  std::vector<Owned> types, firsts, empty, absent, off;
  std::vector<Owned> same;  // a dict or None, key, value, ...
  Owned threads;
  int64_t input, hidden, states;
  bool batch_first;
  std::vector<Place> places;
  std::vector<Weight> weights;

  bool is_tensor(PyObject* object) const {
    for (const Owned& type : types)
      if (reinterpret_cast<PyObject*>(Py_TYPE(object)) == type.get()) return true;
    return false;
  }
  // A float32 tensor on the CPU, as it lies in memory.
  bool lend(PyObject* object, Lent* lent) const {
    return is_tensor(object) && exchange->lend(object, lent) == 0 && lent->is_float32_on_cpu() && lent->data != nullptr;
  }
};

constexpr char kPlan[] = "gatewise plan";
void free_plan(PyObject* capsule) { delete static_cast<Plan*>(PyCapsule_GetPointer(capsule, kPlan)); }

// Whether everything is as it was when the plan was made, and no mode of torch asks for something else.
bool holds(const Plan& plan, PyObject* attributes) {
  for (const Owned& each : plan.off) {
    const Owned answer(PyObject_CallNoArgs(each.get()));
    if (answer == nullptr || PyObject_IsTrue(answer.get()) != 0) return false;
  }
  for (size_t i = 0; i < plan.same.size(); i += 3) {
    PyObject* dict = plan.same[i].get() == Py_None ? attributes : plan.same[i].get();
    if (PyDict_GetItemWithError(dict, plan.same[i + 1].get()) != plan.same[i + 2].get()) return false;
  }
  for (const Owned& each : plan.empty)
    if (PyObject_Size(each.get()) != 0) return false;
  for (size_t i = 0; i < plan.absent.size(); i += 2)
    if (PySequence_Contains(plan.absent[i].get(), plan.absent[i + 1].get()) != 0) return false;
  for (size_t i = 0; i < plan.firsts.size(); i += 2) {
    PyObject* list = plan.firsts[i].get();
    if (PyList_Size(list) < 1 || PyList_GetItem(list, 0) != plan.firsts[i + 1].get()) return false;
  }
  return true;
}

// The weights as they are now, into the arguments; `alive` keeps them while the kernels run. Packed ones are compared.
bool read_weights(const Plan& plan, PyObject* attributes, std::vector<GatewiseSequence>& calls, std::vector<Owned>& alive) {
  PyObject* parameters = PyDict_GetItemWithError(attributes, parameters_name);
  if (parameters == nullptr || !PyDict_Check(parameters)) return false;
  for (const Weight& each : plan.weights) {
    PyObject* tensor = PyDict_GetItemWithError(parameters, each.name.get());
    Lent lent;
    if (tensor == nullptr || (each.packed != nullptr && tensor != each.packed.get())) return false;
    if (!plan.lend(tensor, &lent) || !lent.has_shape(each.shape) || !lent.is_dense()) return false;
    if (each.packed == nullptr) {
      alive.push_back(keep(tensor));
      const float* begin = lent.begin();
      std::memcpy(reinterpret_cast<char*>(&calls[each.place]) + each.field, &begin, sizeof begin);
      continue;
    }
    const Owned version(PyObject_GetAttr(tensor, version_name));
    if (version == nullptr || PyLong_AsLong(version.get()) != each.version || lent.begin() != each.address) return false;
  }
  return true;
}

// Fresh memory from torch, float32, like `x`; with `strides`, laid out by them. Sizes are given one by one: as a tuple,
// torch first takes them for a number, and makes an error's text of that.
Owned empty_like(PyObject* x, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
  Owned sizes[3], steps[3];
  for (size_t i = 0; i < shape.size(); ++i)
    if ((sizes[i] = Owned(PyLong_FromLongLong(shape[i]))) == nullptr) return nullptr;
  if (strides.empty())
    return Owned(PyObject_CallMethodObjArgs(x, empty_name, sizes[0].get(), sizes[1].get(), sizes[2].get(), nullptr));
  for (size_t i = 0; i < strides.size(); ++i)
    if ((steps[i] = Owned(PyLong_FromLongLong(strides[i]))) == nullptr) return nullptr;
  const Owned first(PyTuple_Pack(3, sizes[0].get(), sizes[1].get(), sizes[2].get()));
  const Owned second(PyTuple_Pack(3, steps[0].get(), steps[1].get(), steps[2].get()));
  if (first == nullptr || second == nullptr) return nullptr;
  return Owned(PyObject_CallMethodObjArgs(x, strided_name, first.get(), second.get(), nullptr));
}

float* address_of(const Plan& plan, const Owned& tensor) {
  Lent lent;
  if (tensor == nullptr || !plan.lend(tensor.get(), &lent)) return nullptr;
  return const_cast<float*>(lent.begin());
}

// Whether a tensor's values are those in memory, not their negatives (views such as x.conj().imag).
bool lies_as_it_is(PyObject* tensor) {
  const Owned negative(PyObject_CallMethodObjArgs(tensor, negative_name, nullptr));
  return negative.get() == Py_False;
}

// x and the initial states of one call.
struct Given {
  Lent x;
  int64_t steps, batch, across, between;  // T, B, floats from step to step and from row to row
  const float* states[2];
};

bool read_given(const Plan& plan, PyObject* x, PyObject* hx, Given* given) {
  Lent& lent = given->x;
  if (!plan.lend(x, &lent) || (lent.rank != 2 && lent.rank != 3) || !lies_as_it_is(x)) return false;
  const int time = lent.rank == 3 && plan.batch_first ? 1 : 0;
  given->steps = lent.shape[time];
  given->across = lent.strides[time];
  given->batch = lent.rank == 3 ? lent.shape[1 - time] : 1;
  given->between = lent.rank == 3 ? lent.strides[1 - time] : 0;
  if (given->steps == 0 || given->batch == 0) return false;
  if (lent.shape[lent.rank - 1] != plan.input || lent.strides[lent.rank - 1] != 1) return false;
  given->states[0] = given->states[1] = nullptr;
  if (hx == Py_None) return true;
  if (plan.states == 2 && (!PyTuple_CheckExact(hx) || PyTuple_Size(hx) != 2)) return false;
  std::vector<int64_t> expected{int64_t(plan.places.size()), plan.hidden};
  if (lent.rank == 3) expected.insert(expected.begin() + 1, given->batch);
  for (int64_t i = 0; i < plan.states; ++i) {
    Lent state;
    PyObject* given_state = plan.states == 2 ? PyTuple_GetItem(hx, i) : hx;
    if (!plan.lend(given_state, &state) || !lies_as_it_is(given_state)) return false;
    if (!state.has_shape(expected) || !state.is_dense()) return false;
    given->states[i] = state.begin();
  }
  return true;
}

// All layers, one after the other, with the interpreter free for other threads; between layers their outputs lie in
// memory of this call.
bool run(const Plan& plan, const Given& given, float* output, float* const* ends, int64_t threads,
         std::vector<GatewiseSequence>& calls) {
  const int64_t row = plan.hidden, step = given.batch * row;
  std::unique_ptr<float[]> between[2];
  const float* current = given.x.begin();
  int64_t across = given.across, apart = given.between;
  for (size_t i = 0; i < calls.size(); ++i) {
    GatewiseSequence& call = calls[i];
    float* to = output;
    if (i + 1 < calls.size()) {
      if (between[i % 2] == nullptr) between[i % 2].reset(new (std::nothrow) float[given.steps * step]);
      if ((to = between[i % 2].get()) == nullptr) return false;
    }
    call.steps = given.steps;
    call.batch = given.batch;
    call.threads = threads;
    call.x = current;
    call.x_step_stride = across;
    call.x_batch_stride = apart;
    call.output = to;
    call.h_n = ends[0] + int64_t(i) * step;
    call.c_n = plan.states == 2 ? ends[1] + int64_t(i) * step : nullptr;
    call.h0 = given.states[0] != nullptr ? given.states[0] + int64_t(i) * step : nullptr;
    call.c0 = given.states[1] != nullptr ? given.states[1] + int64_t(i) * step : nullptr;
    if (plan.places[i].forward(&call) != 0) return false;
    current = to;
    across = step;
    apart = row;
  }
  return true;
}

// infer(plan, layer, x, hx): (output, final state), or None where the call has to go another way.
PyObject* infer_or_none(PyObject* const* arguments) {
  const Plan* plan = static_cast<const Plan*>(PyCapsule_GetPointer(arguments[0], kPlan));
  if (plan == nullptr) return nullptr;
  const Owned attributes(PyObject_GenericGetDict(arguments[1], nullptr));
  if (attributes == nullptr || !holds(*plan, attributes.get())) return nullptr;
  PyObject* x = arguments[2];
  Given given;
  if (!read_given(*plan, x, arguments[3], &given)) return nullptr;
  std::vector<GatewiseSequence> calls;
  for (const Place& place : plan->places) calls.push_back(place.known);
  std::vector<Owned> alive;
  if (!read_weights(*plan, attributes.get(), calls, alive)) return nullptr;
  const Owned team(PyObject_CallNoArgs(plan->threads.get()));
  const int64_t threads = team != nullptr ? PyLong_AsLongLong(team.get()) : -1;
  if (threads < 1) return nullptr;

  const int64_t depth = int64_t(plan->places.size()), T = given.steps, B = given.batch, H = plan->hidden;
  std::vector<int64_t> shape{T, B, H}, strides, state{depth, B, H};
  if (given.x.rank == 2) {
    shape = {T, H};
    state = {depth, H};
  } else if (plan->batch_first) {
    shape = {B, T, H};
    strides = {H, B * H, 1};
  }
  Owned output = empty_like(x, shape, strides), ends[2];
  float* to[2] = {nullptr, nullptr};
  for (int64_t i = 0; i < plan->states; ++i) {
    ends[i] = empty_like(x, state, {});
    if ((to[i] = address_of(*plan, ends[i])) == nullptr) return nullptr;
  }
  float* first = address_of(*plan, output);
  if (first == nullptr) return nullptr;
  bool done = false;
  Py_BEGIN_ALLOW_THREADS;
  done = run(*plan, given, first, to, threads, calls);
  Py_END_ALLOW_THREADS;
  if (!done) return nullptr;
  if (plan->states == 1) return PyTuple_Pack(2, output.get(), ends[0].get());
  const Owned both(PyTuple_Pack(2, ends[0].get(), ends[1].get()));
  return both != nullptr ? PyTuple_Pack(2, output.get(), both.get()) : nullptr;
}

PyObject* infer(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  if (count != 4) {
    PyErr_SetString(PyExc_TypeError, "infer(plan, layer, x, hx)");
    return nullptr;
  }
  PyObject* result = nullptr;
  try {
    result = infer_or_none(arguments);
  } catch (const std::bad_alloc&) {
  }
  if (result != nullptr || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))) return result;
  PyErr_Clear();  // the other way meets it again, and can name it
  return Py_NewRef(Py_None);
}

// plan(exchange, types, guards, sizes, threads, places, weights), see binding.py.
PyObject* make_plan(PyObject*, PyObject* arguments) {
  PyObject *exchange, *types, *threads, *places, *weights, *guards[5];
  int batch_first;
  auto plan = std::make_unique<Plan>();
  if (!PyArg_ParseTuple(arguments, "OO!(O!O!O!O!O!)(LLLp)OO!O!", &exchange, &PyTuple_Type, &types, &PyTuple_Type,
                        &guards[0], &PyTuple_Type, &guards[1], &PyTuple_Type, &guards[2], &PyTuple_Type, &guards[3],
                        &PyTuple_Type, &guards[4], &plan->input, &plan->hidden, &plan->states, &batch_first, &threads,
                        &PyTuple_Type, &places, &PyTuple_Type, &weights))
    return nullptr;
  plan->exchange = static_cast<const Exchange*>(PyCapsule_GetPointer(exchange, "dlpack_exchange_api"));
  if (plan->exchange == nullptr) return nullptr;
  plan->types = items_of(types);
  plan->same = items_of(guards[0]);
  plan->firsts = items_of(guards[1]);
  plan->empty = items_of(guards[2]);
  plan->absent = items_of(guards[3]);
  plan->off = items_of(guards[4]);
  plan->batch_first = batch_first != 0;
  plan->threads = keep(threads);
  for (Py_ssize_t i = 0; i < PyTuple_Size(places); ++i) {
    unsigned long long forward;
    const char* known;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(PyTuple_GetItem(places, i), "Ky#", &forward, &known, &size)) return nullptr;
    if (size != Py_ssize_t(sizeof(GatewiseSequence)) || forward == 0) {
      PyErr_SetString(PyExc_ValueError, "a place's arguments are not a GatewiseSequence");
      return nullptr;
    }
    Place place;
    place.forward = reinterpret_cast<int (*)(const GatewiseSequence*)>(forward);
    std::memcpy(&place.known, known, sizeof place.known);
    plan->places.push_back(place);
  }
  for (Py_ssize_t i = 0; i < PyTuple_Size(weights); ++i) {
    PyObject *name, *shape, *packed;
    unsigned long long place, field, address;
    Weight weight;
    if (!PyArg_ParseTuple(PyTuple_GetItem(weights, i), "OO!KKOlK", &name, &PyTuple_Type, &shape, &place, &field, &packed,
                          &weight.version, &address))
      return nullptr;
    if (place >= plan->places.size() || field + sizeof(void*) > sizeof(GatewiseSequence)) {
      PyErr_SetString(PyExc_ValueError, "a weight belongs to no place");
      return nullptr;
    }
    weight.name = keep(name);
    for (Py_ssize_t axis = 0; axis < PyTuple_Size(shape); ++axis)
      weight.shape.push_back(PyLong_AsLongLong(PyTuple_GetItem(shape, axis)));
    weight.place = size_t(place);
    weight.field = size_t(field);
    if (packed != Py_None) weight.packed = keep(packed);
    weight.address = reinterpret_cast<const void*>(address);
    plan->weights.push_back(std::move(weight));
  }
  if (PyErr_Occurred()) return nullptr;
  return PyCapsule_New(plan.release(), kPlan, free_plan);
}

// exchange_version(capsule): DLPack's major version, and whether tensors can be lent.
PyObject* exchange_version(PyObject*, PyObject* capsule) {
  const auto* exchange = static_cast<const Exchange*>(PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
  if (exchange == nullptr) return nullptr;
  return PyLong_FromLong(exchange->major == 1 && exchange->lend == nullptr ? 0 : long(exchange->major));
}

PyMethodDef methods[] = {
    {"plan", make_plan, METH_VARARGS, nullptr},
    {"infer", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(infer)), METH_FASTCALL, nullptr},
    {"exchange_version", exchange_version, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "gatewise_binding", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_gatewise_binding() {
  parameters_name = PyUnicode_InternFromString("_parameters");
  version_name = PyUnicode_InternFromString("_version");
  empty_name = PyUnicode_InternFromString("new_empty");
  strided_name = PyUnicode_InternFromString("new_empty_strided");
  negative_name = PyUnicode_InternFromString("is_neg");
  PyObject* module = PyModule_Create(&definition);
  if (module != nullptr) PyModule_AddStringConstant(module, "source_key", GATEWISE_BINDING_KEY);
  return module;
}
