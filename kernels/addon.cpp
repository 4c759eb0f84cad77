// The Node add-on: memory, loaded programs and thread pools as JavaScript values, and `run` as a
// promise. src/runtime/native.ts is its only caller and has checked all arguments' types.
#define NAPI_VERSION 8
#include <node_api.h>
#include <string.h>
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include "executor.h"
#include "instruction_sets.h"

namespace {

using namespace fewbit;

constexpr size_t largeBytes = 1 << 20, maximumArguments = 9;

// Zeroed memory: 64-byte aligned, or whole pages, if possible huge ones, where it is large.
void* allocateZeroed(size_t bytes) {
  if (bytes >= largeBytes) {
    void* const data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (data == MAP_FAILED) return nullptr;
#ifdef MADV_HUGEPAGE
    madvise(data, bytes, MADV_HUGEPAGE);
#endif
    return data;
  }
  void* data = nullptr;
  if (posix_memalign(&data, 64, bytes) != 0) return nullptr;
  return memset(data, 0, bytes);
}

void release(void* data, size_t bytes) {
  if (bytes >= largeBytes) {
    munmap(data, bytes);
  } else {
    free(data);
  }
}

// A call of JavaScript: its arguments, and how to answer or fail.
struct Call {
  napi_env env;
  napi_value arguments[maximumArguments];

  Call(napi_env e, napi_callback_info info) : env(e) {
    size_t count = maximumArguments;
    napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  }
  double number(int i) const {
    double value = 0;
    napi_get_value_double(env, arguments[i], &value);
    return value;
  }
  const InstructionSet& set(int i) const {
    char name[16] = "";
    napi_get_value_string_utf8(env, arguments[i], name, sizeof name, nullptr);
    return instructionSet(name);
  }
  template <typename T>
  T* external(int i) const {
    void* data = nullptr;
    napi_get_value_external(env, arguments[i], &data);
    return static_cast<T*>(data);
  }
  napi_value fail(const char* message) const {
    napi_throw_error(env, nullptr, message);
    return nullptr;
  }
  napi_value of(double value) const {
    napi_value result = nullptr;
    napi_create_double(env, value, &result);
    return result;
  }
  // An opaque value that owns `data`.
  template <typename T>
  napi_value own(std::unique_ptr<T> data) const {
    napi_value result = nullptr;
    const auto finalize = [](napi_env, void* pointer, void*) { delete static_cast<T*>(pointer); };
    if (napi_create_external(env, data.get(), finalize, nullptr, &result) == napi_ok) data.release();
    return result;
  }
};

// instructionSets(): the names of those that this CPU has, fastest first.
napi_value listInstructionSets(napi_env env, napi_callback_info) {
  napi_value list = nullptr, name = nullptr;
  napi_create_array(env, &list);
  uint32_t count = 0;
  for (const InstructionSet& set : instructionSets) {
    if (!set.supported) continue;
    napi_create_string_utf8(env, set.name, NAPI_AUTO_LENGTH, &name);
    napi_set_element(env, list, count++, name);
  }
  return list;
}

// allocate(bytes): zeroed ArrayBuffer.
napi_value allocate(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  const size_t bytes = static_cast<size_t>(call.number(0));
  napi_value buffer = nullptr;
  if (bytes == 0) {
    void* nothing;
    napi_create_arraybuffer(env, 0, &nothing, &buffer);
    return buffer;
  }
  void* const data = allocateZeroed(bytes);
  if (!data) {
    napi_throw_range_error(env, nullptr, ("cannot allocate " + std::to_string(bytes) + " bytes").c_str());
    return nullptr;
  }
  const auto finalize = [](napi_env, void* pointer, void* size) { release(pointer, reinterpret_cast<size_t>(size)); };
  if (napi_create_external_arraybuffer(env, data, bytes, finalize, reinterpret_cast<void*>(bytes), &buffer) != napi_ok) {
    release(data, bytes);
    return call.fail("this JavaScript engine does not allow external buffers");
  }
  return buffer;
}

// createPool(threads)
napi_value createPool(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  try {
    return call.own(std::make_unique<Pool>(static_cast<int>(call.number(0))));
  } catch (const std::exception& error) {
    return call.fail(error.what());
  }
}

// allowsMachineCode(): whether this system lets a program make code.
napi_value allowsMachineCode(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_get_boolean(env, CodeMemory::allowed(), &result);
  return result;
}

// load(words, instructionSet, threads, interpret)
napi_value load(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  size_t count = 0;
  void* words = nullptr;
  bool interpret = false;
  napi_get_typedarray_info(env, call.arguments[0], nullptr, &count, &words, nullptr, nullptr);
  napi_get_value_bool(env, call.arguments[3], &interpret);
  try {
    return call.own(std::make_unique<Executable>(static_cast<const int32_t*>(words), count,
                                                 call.set(1).kernels, static_cast<int>(call.number(2)),
                                                 interpret));
  } catch (const std::exception& error) {
    return call.fail(error.what());
  }
}

// workBytes(program): the work memory that `run` needs.
napi_value workBytes(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  return call.of(static_cast<double>(call.external<Executable>(0)->workBytes()));
}

struct Run {
  const Executable* executable;
  Pool* pool;
  Memory memory;
  char* work;
  double* nanoseconds = nullptr;
  napi_ref kept[maximumArguments];  // the arguments live until the run has ended
  napi_async_work task;
  napi_deferred deferred;
};

// run(program, pool, constants, state, inputs, outputs, scratch, work, nanoseconds | undefined): Promise<void>
napi_value run(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto run = std::make_unique<Run>();
  run->executable = call.external<Executable>(0);
  run->pool = call.external<Pool>(1);
  const auto buffer = [&](int i, size_t least) -> char* {
    void* data = nullptr;
    size_t bytes = 0;
    napi_get_arraybuffer_info(env, call.arguments[i], &data, &bytes);
    if (bytes < least) {
      const std::string message = "a memory segment has " + std::to_string(bytes) + " bytes, but the program needs ";
      napi_throw_range_error(env, nullptr, (message + std::to_string(least)).c_str());
    }
    return static_cast<char*>(data);
  };
  for (int i = 0; i < SEGMENTS; i++) run->memory.base[i] = buffer(2 + i, run->executable->segmentBytes(i));
  run->work = buffer(7, run->executable->workBytes());
  bool failed = false;
  napi_is_exception_pending(env, &failed);
  if (failed) return nullptr;
  napi_valuetype type;
  napi_typeof(env, call.arguments[8], &type);
  if (type == napi_object) {
    void* data = nullptr;
    size_t count = 0;
    napi_get_typedarray_info(env, call.arguments[8], nullptr, &count, &data, nullptr, nullptr);
    if (count < run->executable->instructions()) return call.fail("nanoseconds needs one number an instruction");
    run->nanoseconds = static_cast<double*>(data);
  }
  for (size_t i = 0; i < maximumArguments; i++) {
    run->kept[i] = nullptr;
    napi_create_reference(env, call.arguments[i], 1, &run->kept[i]);
  }

  const auto execute = [](napi_env, void* data) {
    const Run& r = *static_cast<Run*>(data);
    r.executable->run(r.memory, r.work, *r.pool, r.nanoseconds);
  };
  const auto complete = [](napi_env e, napi_status, void* data) {
    const std::unique_ptr<Run> r(static_cast<Run*>(data));
    for (napi_ref reference : r->kept) {
      if (reference) napi_delete_reference(e, reference);
    }
    napi_delete_async_work(e, r->task);
    napi_value undefined;
    napi_get_undefined(e, &undefined);
    napi_resolve_deferred(e, r->deferred, undefined);
  };
  napi_value name, promise;
  napi_create_string_utf8(env, "fewbit", NAPI_AUTO_LENGTH, &name);
  napi_create_promise(env, &run->deferred, &promise);
  napi_create_async_work(env, nullptr, name, execute, complete, run.get(), &run->task);
  napi_queue_async_work(env, run.release()->task);
  return promise;
}

double secondsOf(Pool& pool, int64_t chunks, void (*body)(const void*, int64_t), const void* context) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int repetition = 0; repetition < 5; repetition++) {
    const Clock::time_point start = Clock::now();
    pool.run(chunks, [&](int64_t chunk, int) { body(context, chunk); });
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

// peak(pool, instructionSet): [f32 operations a second, bytes copied a second (read + written)], measured in about 0.1 s.
napi_value peak(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  Pool& pool = *call.external<Pool>(0);
  const int64_t chunks = 4 * pool.threads();

  constexpr int64_t rounds = 100000;
  const MultiplyAdds& multiplyAdds = call.set(1).multiplyAdds;
  const auto calculate = [](const void* context, int64_t) {
    volatile float result = static_cast<const MultiplyAdds*>(context)->run(rounds);
    (void)result;
  };
  const double operations = static_cast<double>(chunks) * rounds * multiplyAdds.operationsPerRound;
  const double operationRate = operations / secondsOf(pool, chunks, calculate, &multiplyAdds);

  // Larger than the caches of the CPUs we know.
  constexpr size_t half = 64 << 20;
  struct Copy {
    char* data;
    size_t piece;
  } copy = {static_cast<char*>(allocateZeroed(2 * half)), half / chunks};
  if (!copy.data) return call.fail("not enough memory to measure its bandwidth");
  const auto copyPiece = [](const void* context, int64_t chunk) {
    const Copy& c = *static_cast<const Copy*>(context);
    memcpy(c.data + half + chunk * c.piece, c.data + chunk * c.piece, c.piece);
  };
  const double byteRate = 2.0 * copy.piece * chunks / secondsOf(pool, chunks, copyPiece, &copy);
  release(copy.data, 2 * half);

  napi_value rates;
  napi_create_array_with_length(env, 2, &rates);
  napi_set_element(env, rates, 0, call.of(operationRate));
  napi_set_element(env, rates, 1, call.of(byteRate));
  return rates;
}

}  // namespace

NAPI_MODULE_INIT() {
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {{"instructionSets", listInstructionSets}, {"allocate", allocate}, {"createPool", createPool},
                   {"allowsMachineCode", allowsMachineCode}, {"load", load}, {"workBytes", workBytes}, {"run", run}, {"peak", peak}};
  for (const auto& [name, callback] : functions) {
    napi_value function;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
    napi_set_named_property(env, exports, name, function);
  }
  return exports;
}
