// The Node add-on: memory and loaded programs as JavaScript values, and `run` as a promise. Every argument's type and length
// is checked here, since a wrong one would be an access outside of memory.
#define NAPI_VERSION 8
#include <node_api.h>
#include <string.h>
#include <sys/mman.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "executor.h"
#include "instruction_sets.h"
#include "pools.h"

namespace {

using namespace fewbit;

constexpr size_t largeBytes = 1 << 20, maximumArguments = 8;
constexpr int64_t mostBytes = int64_t{1} << 53;  // a JavaScript number counts them exactly


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

// What a JavaScript caller did wrong: becomes a TypeError.
struct BadArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A call of JavaScript: its arguments, each checked when it is read.
struct Call {
  napi_env env;
  size_t count = maximumArguments;  // missing ones are undefined
  napi_value arguments[maximumArguments];

  Call(napi_env e, napi_callback_info info) : env(e) {
    napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  }
  napi_valuetype type(int i) const {
    napi_valuetype type = napi_undefined;
    napi_typeof(env, arguments[i], &type);
    return type;
  }
  // A whole number from `low` to `high`.
  int64_t whole(int i, const char* name, int64_t low, int64_t high) const {
    double value = 0;
    const bool isNumber = napi_get_value_double(env, arguments[i], &value) == napi_ok;
    if (isNumber && value >= (double)low && value <= (double)high && value == std::floor(value)) return (int64_t)value;
    throw BadArgument(std::string(name) + " must be a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }
  bool boolean(int i, const char* name) const {
    bool value = false;
    if (napi_get_value_bool(env, arguments[i], &value) == napi_ok) return value;
    throw BadArgument(std::string(name) + " must be true or false");
  }
  // One that this CPU has.
  const InstructionSet& set(int i) const {
    char name[16] = "";
    const bool isText = napi_get_value_string_utf8(env, arguments[i], name, sizeof name, nullptr) == napi_ok;
    for (const InstructionSet& set : instructionSets) {
      if (isText && set.supported && strcmp(set.name, name) == 0) return set;
    }
    throw BadArgument("the instruction set must be the name of one that this CPU has");
  }
  // The elements of a typed array of just this type.
  template <typename T>
  T* elements(int i, napi_typedarray_type wanted, const char* what, size_t& length) const {
    napi_typedarray_type type;
    void* data = nullptr;
    bool isTypedArray = false;
    napi_is_typedarray(env, arguments[i], &isTypedArray);
    if (isTypedArray && napi_get_typedarray_info(env, arguments[i], &type, &length, &data, nullptr, nullptr) == napi_ok &&
        type == wanted)
      return static_cast<T*>(data);
    throw BadArgument(what);
  }
  // An ArrayBuffer of at least so many bytes that does not change its size.
  char* buffer(int i, const char* name, int64_t least) const {
    void* data = nullptr;
    size_t bytes = 0;
    bool isBuffer = false, resizable = false;
    napi_value property;
    napi_is_arraybuffer(env, arguments[i], &isBuffer);
    if (isBuffer && napi_get_named_property(env, arguments[i], "resizable", &property) == napi_ok)
      napi_get_value_bool(env, property, &resizable);
    if (!isBuffer || resizable || napi_get_arraybuffer_info(env, arguments[i], &data, &bytes) != napi_ok)
      throw BadArgument(std::string(name) + " must be an ArrayBuffer of fixed size");
    if (static_cast<int64_t>(bytes) >= least) return static_cast<char*>(data);
    throw std::length_error("a memory segment, " + std::string(name) + ", has " + std::to_string(bytes) +
                            " bytes, but the program needs " + std::to_string(least));
  }
  // The program in an object that `own` made.
  Executable& executable(int i) const {
    void* data = nullptr;
    bool isOurs = false;
    if (type(i) == napi_object && napi_check_object_type_tag(env, arguments[i], &executableTag, &isOurs) == napi_ok && isOurs &&
        napi_unwrap(env, arguments[i], &data) == napi_ok)
      return *static_cast<Executable*>(data);
    throw BadArgument("this is not a loaded program");
  }
  napi_value of(double value) const {
    napi_value result = nullptr;
    napi_create_double(env, value, &result);
    return result;
  }
  // An object that owns a program.
  napi_value own(std::unique_ptr<Executable> data) const {
    napi_value result = nullptr;
    const auto finalize = [](napi_env, void* pointer, void*) { delete static_cast<Executable*>(pointer); };
    napi_create_object(env, &result);
    if (napi_type_tag_object(env, result, &executableTag) == napi_ok &&
        napi_wrap(env, result, data.get(), finalize, nullptr, nullptr) == napi_ok)
      data.release();
    return result;
  }

  static constexpr napi_type_tag executableTag = {0x66657762697420a1, 0x9d3c5e0f6b7a4812};
};

// Makes a function of `Function`, whose exceptions are thrown in JavaScript.
template <napi_value (*Function)(const Call&)>
napi_value callback(napi_env env, napi_callback_info info) {
  try {
    return Function(Call(env, info));
  } catch (const BadArgument& error) {
    napi_throw_type_error(env, nullptr, error.what());
  } catch (const std::length_error& error) {
    napi_throw_range_error(env, nullptr, error.what());
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

// instructionSets(): the names of those that this CPU has, fastest first.
napi_value listInstructionSets(const Call& call) {
  napi_value list = nullptr, name = nullptr;
  napi_create_array(call.env, &list);
  uint32_t count = 0;
  for (const InstructionSet& set : instructionSets) {
    if (!set.supported) continue;
    napi_create_string_utf8(call.env, set.name, NAPI_AUTO_LENGTH, &name);
    napi_set_element(call.env, list, count++, name);
  }
  return list;
}

// allocate(bytes): zeroed ArrayBuffer.
napi_value allocate(const Call& call) {
  const size_t bytes = static_cast<size_t>(call.whole(0, "bytes", 0, mostBytes));
  napi_value buffer = nullptr;
  if (bytes == 0) {
    void* nothing;
    napi_create_arraybuffer(call.env, 0, &nothing, &buffer);
    return buffer;
  }
  void* const data = allocateZeroed(bytes);
  if (!data) throw std::length_error("cannot allocate " + std::to_string(bytes) + " bytes");
  const auto finalize = [](napi_env, void* pointer, void* size) { release(pointer, reinterpret_cast<size_t>(size)); };
  if (napi_create_external_arraybuffer(call.env, data, bytes, finalize, reinterpret_cast<void*>(bytes), &buffer) != napi_ok) {
    release(data, bytes);
    throw std::runtime_error("this JavaScript engine does not allow external buffers");
  }
  return buffer;
}

int threadsOf(const Call& call, int i) { return static_cast<int>(call.whole(i, "threads", 1, MOST_THREADS)); }

// availableThreads(threads): how many threads programs on so many have; fewer where the system makes no more.
napi_value countThreads(const Call& call) {
  // Node's own pool first: it makes its threads at the first task, and cannot do without.
  auto work = std::make_unique<napi_async_work>();
  const auto complete = [](napi_env env, napi_status, void* data) {
    const std::unique_ptr<napi_async_work> own(static_cast<napi_async_work*>(data));
    napi_delete_async_work(env, *own);
  };
  napi_value name;
  napi_create_string_utf8(call.env, "fewbit", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(call.env, nullptr, name, [](napi_env, void*) {}, complete, work.get(), work.get());
  napi_queue_async_work(call.env, *work.release());
  return call.of(availableThreads(threadsOf(call, 0)));
}

// allowsMachineCode(): whether this system lets a program make code.
napi_value allowsMachineCode(const Call& call) {
  napi_value result = nullptr;
  napi_get_boolean(call.env, CodeMemory::allowed(), &result);
  return result;
}

// load(words, instructionSet, threads, interpret)
napi_value load(const Call& call) {
  size_t count = 0;
  const int32_t* const words = call.elements<int32_t>(0, napi_int32_array, "the words of a program must be an Int32Array", count);
  return call.own(std::make_unique<Executable>(words, count, call.set(1).kernels, threadsOf(call, 2),
                                               call.boolean(3, "interpret")));
}

// workBytes(program): the work memory that `run` needs.
napi_value workBytes(const Call& call) { return call.of(static_cast<double>(call.executable(0).workBytes())); }

struct Run {
  const Executable* executable;
  Memory memory;
  char* work;
  double* nanoseconds = nullptr;
  napi_ref kept[maximumArguments];  // the arguments live until the run has ended
  napi_async_work task;
  napi_deferred deferred;
};

// run(program, constants, state, inputs, outputs, scratch, work, nanoseconds | undefined): Promise<void>
napi_value run(const Call& call) {
  static const char* const names[SEGMENTS] = {"constants", "state", "inputs", "outputs", "scratch"};
  const napi_env env = call.env;
  auto run = std::make_unique<Run>();
  const Executable& executable = call.executable(0);
  run->executable = &executable;
  for (int i = 0; i < SEGMENTS; i++) run->memory.base[i] = call.buffer(1 + i, names[i], executable.segmentBytes(i));
  run->work = call.buffer(6, "work", executable.workBytes());
  if (call.type(7) != napi_undefined) {
    static const char* const wanted = "nanoseconds must be a Float64Array of one number an instruction";
    size_t count = 0;
    run->nanoseconds = call.elements<double>(7, napi_float64_array, wanted, count);
    if (count < executable.instructions()) throw BadArgument(wanted);
  }
  for (size_t i = 0; i < maximumArguments; i++) {
    run->kept[i] = nullptr;
    if (call.type(i) == napi_object) napi_create_reference(env, call.arguments[i], 1, &run->kept[i]);
  }

  const auto execute = [](napi_env, void* data) {
    const Run& r = *static_cast<Run*>(data);
    const BorrowedPool pool(r.executable->threads());
    r.executable->run(r.memory, r.work, *pool, r.nanoseconds);
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

// peak(threads, instructionSet): [f32 operations a second, bytes copied a second (read + written)], measured in about 0.1 s.
napi_value peak(const Call& call) {
  const napi_env env = call.env;
  const BorrowedPool borrowed(threadsOf(call, 0));
  Pool& pool = *borrowed;
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
  if (!copy.data) throw std::runtime_error("not enough memory to measure its bandwidth");
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
  } functions[] = {{"instructionSets", callback<listInstructionSets>}, {"allocate", callback<allocate>},
                   {"availableThreads", callback<countThreads>},       {"allowsMachineCode", callback<allowsMachineCode>},
                   {"load", callback<load>},                           {"workBytes", callback<workBytes>},
                   {"run", callback<run>},                             {"peak", callback<peak>}};
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  beginUsingPools();
  napi_add_env_cleanup_hook(env, [](void*) { endUsingPools(); }, nullptr);
  return exports;
}
