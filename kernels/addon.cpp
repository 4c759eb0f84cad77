// The Node add-on: memory and loaded programs as JavaScript values, and `run` as a promise. Every argument's type and length
// is checked here, since a wrong one would be an access outside of memory.
//
// Memory lies outside of the JavaScript engine, behind a handle: an ArrayBuffer ends at 4 GiB in Node 20, and a step of a
// network of ImageNet's size has more scratch. Elements are copied in and out.
#define NAPI_VERSION 8
#include <node_api.h>
#include <string.h>
#include <sys/mman.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "executor.h"
#include "instruction_sets.h"
#include "pools.h"
#include "runner.h"

namespace {

using namespace fewbit;

constexpr size_t largeBytes = 1 << 20, maximumArguments = 4;
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

// Memory of an executor, which its handle in JavaScript owns.
struct Block {
  char* const data;
  const size_t bytes;

  explicit Block(size_t size) : data(size == 0 ? nullptr : static_cast<char*>(allocateZeroed(size))), bytes(size) {
    if (!data && size > 0) throw std::length_error("cannot allocate " + std::to_string(size) + " bytes");
  }
  ~Block() {
    if (data) release(data, bytes);
  }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
};

// By which an object of ours is known, whatever a caller hands in.
template <typename T>
constexpr napi_type_tag tagOf = {};
template <>
constexpr napi_type_tag tagOf<Executable> = {0x66657762697420a1, 0x9d3c5e0f6b7a4812};
template <>
constexpr napi_type_tag tagOf<Block> = {0x66657762697420a2, 0x1f0ab4c3927d5e68};

// What a JavaScript caller did wrong: becomes a TypeError.
struct BadArgument : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A call of JavaScript: its arguments, each checked when it is read.
struct Call {
  napi_env env;
  size_t count = maximumArguments;  // missing ones are undefined
  napi_value arguments[maximumArguments];

  Call(napi_env e, napi_callback_info info) : env(e) { napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr); }
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
    throw BadArgument(std::string(name) + " must be a whole number from " + std::to_string(low) + " to " +
                      std::to_string(high));
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
  // The bytes of a Uint8Array.
  char* view(int i, size_t& length) const {
    return elements<char>(i, napi_uint8_array, "what is copied must be a Uint8Array", length);
  }
  // What an object holds that `own` made of such a thing.
  template <typename T>
  T* held(napi_value object) const {
    napi_valuetype type = napi_undefined;
    void* data = nullptr;
    bool isOurs = false;
    napi_typeof(env, object, &type);
    if (type == napi_object && napi_check_object_type_tag(env, object, &tagOf<T>, &isOurs) == napi_ok && isOurs &&
        napi_unwrap(env, object, &data) == napi_ok)
      return static_cast<T*>(data);
    return nullptr;
  }
  const Executable& executable(int i) const {
    if (const Executable* const found = held<Executable>(arguments[i])) return *found;
    throw BadArgument("this is not a loaded program");
  }
  const Block& memory(napi_value object, const char* name) const {
    if (const Block* const found = held<Block>(object)) return *found;
    throw BadArgument(std::string(name) + " must be memory that this executor allocated");
  }
  // Memory of at least so many bytes.
  char* segment(napi_value object, const char* name, int64_t least) const {
    const Block& block = memory(object, name);
    if (static_cast<int64_t>(block.bytes) >= least) return block.data;
    throw std::length_error("a memory segment, " + std::string(name) + ", has " + std::to_string(block.bytes) +
                            " bytes, but the program needs " + std::to_string(least));
  }
  // The place in memory, `offset` bytes from its start, of so many bytes.
  char* place(const Block& block, int offset, size_t length) const {
    const size_t at = static_cast<size_t>(whole(offset, "offset", 0, mostBytes));
    if (at <= block.bytes && length <= block.bytes - at) return block.data + at;
    throw std::length_error(std::to_string(length) + " bytes from " + std::to_string(at) + " on are not within memory of " +
                            std::to_string(block.bytes));
  }
  napi_value of(double value) const {
    napi_value result = nullptr;
    napi_create_double(env, value, &result);
    return result;
  }
  // An object that owns a thing.
  template <typename T>
  napi_value own(std::unique_ptr<T> data) const {
    napi_value result = nullptr;
    const auto finalize = [](napi_env e, void* pointer, void*) {
      const std::unique_ptr<T> own(static_cast<T*>(pointer));
      weigh(e, *own, -1);
    };
    napi_create_object(env, &result);
    if (napi_type_tag_object(env, result, &tagOf<T>) == napi_ok &&
        napi_wrap(env, result, data.get(), finalize, nullptr, nullptr) == napi_ok)
      weigh(env, *data.release(), 1);
    return result;
  }

 private:
  // What the engine would not know of: memory that keeps a small object alive, for which it collects garbage sooner.
  static void weigh(napi_env env, const Block& block, int sign) {
    int64_t total;
    napi_adjust_external_memory(env, sign * static_cast<int64_t>(block.bytes), &total);
  }
  static void weigh(napi_env, const Executable&, int) {}
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

// allocate(bytes): a handle of zeroed memory, whose property `bytes` is its size.
napi_value allocate(const Call& call) {
  const size_t bytes = static_cast<size_t>(call.whole(0, "bytes", 0, mostBytes));
  const napi_value handle = call.own(std::make_unique<Block>(bytes));
  napi_set_named_property(call.env, handle, "bytes", call.of(static_cast<double>(bytes)));
  return handle;
}

// write(memory, offset, bytes): copies a Uint8Array into memory.
napi_value write(const Call& call) {
  size_t length = 0;
  const char* const from = call.view(2, length);
  char* const to = call.place(call.memory(call.arguments[0], "memory"), 1, length);
  if (length > 0) memcpy(to, from, length);
  return nullptr;
}

// read(memory, offset, into): fills a Uint8Array from memory.
napi_value read(const Call& call) {
  size_t length = 0;
  char* const to = call.view(2, length);
  const char* const from = call.place(call.memory(call.arguments[0], "memory"), 1, length);
  if (length > 0) memcpy(to, from, length);
  return nullptr;
}

// copy(from, to): copies memory into other memory, which is no smaller.
napi_value copy(const Call& call) {
  const Block& from = call.memory(call.arguments[0], "from");
  char* const to = call.segment(call.arguments[1], "to", static_cast<int64_t>(from.bytes));
  if (from.bytes > 0) memcpy(to, from.data, from.bytes);
  return nullptr;
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
  const int32_t* const words =
      call.elements<int32_t>(0, napi_int32_array, "the words of a program must be an Int32Array", count);
  return call.own(
      std::make_unique<Executable>(words, count, call.set(1).kernels, threadsOf(call, 2), call.boolean(3, "interpret")));
}

// workBytes(program): the work memory that `run` needs.
napi_value workBytes(const Call& call) { return call.of(static_cast<double>(call.executable(0).workBytes())); }

struct Run {
  const Executable* executable;
  Memory memory;
  char* work;
  double* nanoseconds = nullptr;
  napi_ref kept[maximumArguments];  // the arguments live until the run has ended
  napi_deferred deferred;
};

// The runs of one environment of Node's. While there are some, it does not end.
class Runs {
 public:
  explicit Runs(napi_env env) : env_(env) {
    napi_value name;
    napi_create_string_utf8(env, "fewbit", NAPI_AUTO_LENGTH, &name);
    napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, end, &ended_);
    napi_unref_threadsafe_function(env, ended_);
  }
  ~Runs() {
    runner_.reset();
    napi_release_threadsafe_function(ended_, napi_tsfn_abort);
  }
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;

  void begin(std::unique_ptr<Run> run) {
    if (underWay_++ == 0) napi_ref_threadsafe_function(env_, ended_);
    Run* const r = run.release();
    const auto execute = [r] {
      const BorrowedPool pool(r->executable->threads());
      r->executable->run(r->memory, r->work, *pool, r->nanoseconds);
    };
    runner_->begin(execute, [this, r] { napi_call_threadsafe_function(ended_, r, napi_tsfn_nonblocking); });
  }

 private:
  // On the thread of JavaScript; without an environment where that has ended.
  static void end(napi_env env, napi_value, void* context, void* data) {
    const std::unique_ptr<Run> run(static_cast<Run*>(data));
    if (!env) return;
    Runs& runs = *static_cast<Runs*>(context);
    if (--runs.underWay_ == 0) napi_unref_threadsafe_function(env, runs.ended_);
    for (napi_ref reference : run->kept) {
      if (reference) napi_delete_reference(env, reference);
    }
    napi_value undefined;
    napi_get_undefined(env, &undefined);
    napi_resolve_deferred(env, run->deferred, undefined);
  }

  const napi_env env_;
  napi_threadsafe_function ended_ = nullptr;
  size_t underWay_ = 0;
  std::unique_ptr<Runner> runner_ = std::make_unique<Runner>();
};

// run(program, [constants, state, inputs, outputs, scratch, work], nanoseconds | undefined): Promise<void>
napi_value run(const Call& call) {
  static const char* const names[] = {"constants", "state", "inputs", "outputs", "scratch", "work"};
  const napi_env env = call.env;
  auto run = std::make_unique<Run>();
  const Executable& executable = call.executable(0);
  run->executable = &executable;
  const auto memory = [&](uint32_t i, int64_t least) {
    napi_value element = nullptr;
    if (napi_get_element(env, call.arguments[1], i, &element) != napi_ok) throw BadArgument("memory must be an array");
    return call.segment(element, names[i], least);
  };
  for (int i = 0; i < SEGMENTS; i++) run->memory.base[i] = memory(i, executable.segmentBytes(i));
  run->work = memory(SEGMENTS, executable.workBytes());
  if (call.type(2) != napi_undefined) {
    static const char* const wanted = "nanoseconds must be a Float64Array of one number per instruction";
    size_t count = 0;
    run->nanoseconds = call.elements<double>(2, napi_float64_array, wanted, count);
    if (count < executable.instructions()) throw BadArgument(wanted);
  }
  for (size_t i = 0; i < maximumArguments; i++) {
    run->kept[i] = nullptr;
    if (call.type(i) == napi_object) napi_create_reference(env, call.arguments[i], 1, &run->kept[i]);
  }

  void* runs = nullptr;
  napi_value promise;
  napi_get_instance_data(env, &runs);
  napi_create_promise(env, &run->deferred, &promise);
  static_cast<Runs*>(runs)->begin(std::move(run));
  return promise;
}

// A resampling under way on Node's pool, and what it reads and writes.
struct Resampled {
  std::vector<int32_t> numbers;
  Resampling resampling;
  Resample resample;
  bool hasMemory = true;
  napi_ref kept[2];
  napi_deferred deferred;
  napi_async_work work;

  void run() {
    const size_t bytes = static_cast<size_t>(resamplingWorkBytes(resampling));
    const std::unique_ptr<uint8_t[]> memory(new (std::nothrow) uint8_t[bytes]);
    hasMemory = memory != nullptr;
    if (hasMemory) resample(resampling, memory.get());
  }
};

// The sides of a resampling from numbers: see `resample`.
class SideReader {
 public:
  explicit SideReader(const std::vector<int32_t>& numbers) : numbers_(numbers) {}

  // A side of `extent` places.
  ResampledSide read(int32_t extent) {
    const int32_t count = next(), taps = next();
    if (count < 1 || taps < 1 || taps > extent || int64_t{count} * (1 + int64_t{taps}) > left()) fail();
    const int32_t* const firsts = at(count);
    const int32_t* const weights = at(int64_t{count} * taps);
    for (int32_t i = 0; i < count; i++) {
      int64_t sum = 0;
      for (int32_t k = 0; k < taps; k++) {
        const int32_t weight = weights[int64_t{i} * taps + k];
        if (weight < 0) fail();
        sum += weight;
      }
      // Sums of bytes are to round to bytes.
      if (firsts[i] < 0 || firsts[i] > extent - taps || sum > (1 << 22) + (1 << 12)) fail();
    }
    return {count, taps, firsts, weights};
  }
  int32_t next() {
    if (left() < 1) fail();
    return *at(1);
  }
  bool isAtEnd() const { return left() == 0; }
  [[noreturn]] static void fail() { throw BadArgument("the sides of a resampling do not fit its image"); }

 private:
  int64_t left() const { return static_cast<int64_t>(numbers_.size()) - at_; }
  const int32_t* at(int64_t count) {
    at_ += count;
    return numbers_.data() + at_ - count;
  }

  const std::vector<int32_t>& numbers_;
  int64_t at_ = 0;
};

// resample(pixels, numbers, out, instructionSet): Promise<void>; an image of three channels in another size. The numbers:
// its rows, its pixels a row, then of the result's columns and of its rows how many, the places of the image that each is
// made from, the first of them for each, and their weights (see resample.h). Node's pool does it, beside the decoder.
napi_value startResampling(const Call& call) {
  const napi_env env = call.env;
  auto resampled = std::make_unique<Resampled>();
  size_t pixelBytes = 0, count = 0, outBytes = 0;
  Resampling& r = resampled->resampling;
  r.pixels = reinterpret_cast<uint8_t*>(call.view(0, pixelBytes));
  const int32_t* const numbers =
      call.elements<int32_t>(1, napi_int32_array, "the sides of a resampling must be an Int32Array", count);
  r.out = reinterpret_cast<uint8_t*>(call.view(2, outBytes));
  resampled->resample = call.set(3).resample;
  resampled->numbers.assign(numbers, numbers + count);
  SideReader reader(resampled->numbers);
  r.rows = reader.next();
  r.rowPixels = reader.next();
  if (r.rows < 1 || r.rowPixels < 1 || int64_t{r.rows} * r.rowPixels * 3 != static_cast<int64_t>(pixelBytes)) reader.fail();
  r.across = reader.read(r.rowPixels);
  r.down = reader.read(r.rows);
  if (!reader.isAtEnd() || int64_t{r.down.count} * r.across.count * 3 != static_cast<int64_t>(outBytes)) reader.fail();

  napi_value promise, name;
  napi_create_reference(env, call.arguments[0], 1, &resampled->kept[0]);
  napi_create_reference(env, call.arguments[2], 1, &resampled->kept[1]);
  napi_create_promise(env, &resampled->deferred, &promise);
  napi_create_string_utf8(env, "fewbit", NAPI_AUTO_LENGTH, &name);
  const auto execute = [](napi_env, void* data) { static_cast<Resampled*>(data)->run(); };
  const auto complete = [](napi_env e, napi_status, void* data) {
    const std::unique_ptr<Resampled> own(static_cast<Resampled*>(data));
    for (napi_ref reference : own->kept) napi_delete_reference(e, reference);
    napi_delete_async_work(e, own->work);
    napi_value value, message;
    napi_get_undefined(e, &value);
    if (own->hasMemory) {
      napi_resolve_deferred(e, own->deferred, value);
      return;
    }
    napi_create_string_utf8(e, "out of memory for an image in another size", NAPI_AUTO_LENGTH, &message);
    napi_create_error(e, nullptr, message, &value);
    napi_reject_deferred(e, own->deferred, value);
  };
  napi_create_async_work(env, nullptr, name, execute, complete, resampled.get(), &resampled->work);
  napi_queue_async_work(env, resampled.release()->work);
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
  } functions[] = {{"instructionSets", callback<listInstructionSets>},
                   {"allocate", callback<allocate>},
                   {"write", callback<write>},
                   {"read", callback<read>},
                   {"copy", callback<copy>},
                   {"availableThreads", callback<countThreads>},
                   {"allowsMachineCode", callback<allowsMachineCode>},
                   {"load", callback<load>},
                   {"workBytes", callback<workBytes>},
                   {"run", callback<run>},
                   {"resample", callback<startResampling>},
                   {"peak", callback<peak>}};
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  beginUsingPools();
  Runs* const runs = new Runs(env);
  napi_set_instance_data(env, runs, nullptr, nullptr);
  const auto end = [](void* data) {
    delete static_cast<Runs*>(data);
    endUsingPools();
  };
  napi_add_env_cleanup_hook(env, end, runs);
  return exports;
}
