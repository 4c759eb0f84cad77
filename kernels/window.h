// Sums and maxima over windows of NHWC images, and their gradients; vectors hold channels.
//
// Taps are taken row by row. Padding adds nothing and never wins a maximum, nor does NaN.
#pragma once
#include "cut.h"
#include "math.h"

namespace fewbit {
namespace FEWBIT_ISA {

// Input positions under window `out` of one axis, and windows that hold input position `in`.
static inline Range tapsOf(int64_t out, int64_t kernel, int64_t stride, int64_t padding, int64_t extent) {
  const int64_t first = out * stride - padding;
  return {most(first, 0), least(first + kernel, extent)};
}
static inline Range windowsOver(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t outExtent) {
  const int64_t place = in + padding;
  return {place < kernel ? 0 : (place - kernel) / stride + 1, least(place / stride + 1, outExtent)};
}

static inline Vec loadChannels(const float* p, int64_t n) { return n >= LANES ? load(p) : load(p, firstLanes(n)); }
static inline void storeChannels(float* p, int64_t n, Vec v) {
  if (n >= LANES) {
    store(p, v);
  } else {
    store(p, v, firstLanes(n));
  }
}

// Rows and columns of an image of `width` columns.
struct Area {
  int64_t width, channels;
  Range rows, columns;
};

// to[channel] = combination of from[row][column][channel] over rows and columns, in their order.
template <typename Combine>
static inline void combineArea(const float* from, const Area& area, Vec start, float* to, Combine combine) {
  const int64_t channels = area.channels;
  const Range rows = area.rows, columns = area.columns;
  for (int64_t c = 0; c < channels; c += LANES) {
    const int64_t n = channels - c;
    Vec sum = start;
    for (int64_t row = rows.begin; row < rows.end; row++) {
      const float* p = from + (row * area.width + columns.begin) * channels + c;
      for (int64_t column = columns.begin; column < columns.end; column++, p += channels) {
        sum = combine(loadChannels(p, n), sum);
      }
    }
    storeChannels(to + c, n, sum);
  }
}

static inline Vec addTo(Vec x, Vec sum) { return sum + x; }

// One row of the output of a window's sum or maximum.
static void windowRow(const WindowInstruction& window, const Memory& memory, int64_t index) {
  const Geometry& g = window.geometry;
  const float* const x = memory.f32(window.a) + index / g.outHeight * g.height * g.width * g.channels;
  float* y = memory.f32(window.out) + index * g.outWidth * g.channels;
  const Range rows = tapsOf(index % g.outHeight, g.kernelHeight, g.strideHeight, g.paddingHeight, g.height);
  for (int64_t column = 0; column < g.outWidth; column++, y += g.channels) {
    const Range columns = tapsOf(column, g.kernelWidth, g.strideWidth, g.paddingWidth, g.width);
    if (window.op == WINDOW_SUM) {
      combineArea(x, {g.width, g.channels, rows, columns}, splat(0), y, addTo);
    } else {
      combineArea(x, {g.width, g.channels, rows, columns}, splat(-__builtin_inff()), y, maximum);
    }
  }
}

// One row of the gradient of a window's sum: each input pixel gathers from the windows over it.
static void windowSumGradientRow(const WindowInstruction& window, const Memory& memory, int64_t index,
                                 const Range* windowsOverColumn) {
  const Geometry& g = window.geometry;
  const float* const gradient = memory.f32(window.a) + index / g.height * g.outHeight * g.outWidth * g.channels;
  float* dx = memory.f32(window.out) + index * g.width * g.channels;
  const Range rows = windowsOver(index % g.height, g.kernelHeight, g.strideHeight, g.paddingHeight, g.outHeight);
  for (int64_t column = 0; column < g.width; column++, dx += g.channels) {
    combineArea(gradient, {g.outWidth, g.channels, rows, windowsOverColumn[column]}, splat(0), dx, addTo);
  }
}

// The gradient of a window's maximum for one image and some channels: to the first maximum.
static void windowMaxGradientImage(const WindowInstruction& window, const Memory& memory, int64_t image, Range channels) {
  const Geometry& g = window.geometry;
  const int64_t pixels = g.height * g.width, outPixels = g.outHeight * g.outWidth;
  const float* const x = memory.f32(window.a) + image * pixels * g.channels;
  const float* const gradient = memory.f32(window.b) + image * outPixels * g.channels;
  float* const dx = memory.f32(window.out) + image * pixels * g.channels;
  for (int64_t pixel = 0; pixel < pixels; pixel++) {
    memset(dx + pixel * g.channels + channels.begin, 0, (channels.end - channels.begin) * sizeof(float));
  }
  for (int64_t out = 0; out < outPixels; out++) {
    const Range rows = tapsOf(out / g.outWidth, g.kernelHeight, g.strideHeight, g.paddingHeight, g.height);
    const Range columns = tapsOf(out % g.outWidth, g.kernelWidth, g.strideWidth, g.paddingWidth, g.width);
    const auto eachTap = [&](int64_t c, auto visit) {
      float tap = 0;  // exact: a kernel has fewer than 2^24 taps
      for (int64_t row = rows.begin; row < rows.end; row++) {
        for (int64_t column = columns.begin; column < columns.end; column++, tap++) {
          visit((row * g.width + column) * g.channels + c, splat(tap));
        }
      }
    };
    for (int64_t c = channels.begin; c < channels.end; c += LANES) {
      const int64_t n = channels.end - c;
      Vec best = loadChannels(x + (rows.begin * g.width + columns.begin) * g.channels + c, n), winner = splat(0);
      eachTap(c, [&](int64_t at, Vec tap) {
        const Vec value = loadChannels(x + at, n);
        const Mask larger = isLess(best, value);
        best = choose(larger, value, best);
        winner = choose(larger, tap, winner);
      });
      const Vec share = loadChannels(gradient + out * g.channels + c, n);
      eachTap(c, [&](int64_t at, Vec tap) {
        storeChannels(dx + at, n, loadChannels(dx + at, n) + choose(isEqual(winner, tap), share, splat(0)));
      });
    }
  }
}

// Units: rows; for the gradient of the maximum, whose windows may overlap, an image's channels,
// which are cut where there are few images.
static int64_t channelsTogether(const Geometry& g) { return g.images < 8 ? least(g.channels, 64) : g.channels; }

static Cut cutWindow(const WindowInstruction& window) {
  const Geometry& g = window.geometry;
  const int64_t elements = g.images * g.height * g.width * g.channels;
  if (window.op == WINDOW_MAX_GRADIENT) return Cut(g.images * ceilDivide(g.channels, channelsTogether(g)), elements);
  return Cut(g.images * (window.op == WINDOW_SUM_GRADIENT ? g.height : g.outHeight), elements);
}

static Plan planWindow(const WindowInstruction& window) {
  return {1, {cutWindow(window).chunks}, 0, window.geometry.width * int64_t(sizeof(Range))};
}

static void runWindow(const WindowInstruction& window, const Memory& memory, const Chunk& chunk) {
  const Geometry& g = window.geometry;
  const Cut cut = cutWindow(window);
  if (window.op == WINDOW_MAX_GRADIENT) {
    const int64_t together = channelsTogether(g), parts = ceilDivide(g.channels, together);
    for (int64_t unit = cut.begin(chunk.index); unit < cut.end(chunk.index); unit++) {
      const int64_t channel = unit % parts * together;
      windowMaxGradientImage(window, memory, unit / parts, {channel, least(channel + together, g.channels)});
    }
  } else if (window.op == WINDOW_SUM_GRADIENT) {
    Range* const windowsOverColumn = reinterpret_cast<Range*>(chunk.work.own);
    for (int64_t column = 0; column < g.width; column++) {
      windowsOverColumn[column] = windowsOver(column, g.kernelWidth, g.strideWidth, g.paddingWidth, g.outWidth);
    }
    for (int64_t row = cut.begin(chunk.index); row < cut.end(chunk.index); row++) {
      windowSumGradientRow(window, memory, row, windowsOverColumn);
    }
  } else {
    for (int64_t row = cut.begin(chunk.index); row < cut.end(chunk.index); row++) windowRow(window, memory, row);
  }
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
