// Depthwise convolutions and their two gradients: NHWC, weights [row, column, channel]; vectors hold channels.
//
// Images are cut into blocks of channels. The rows that a row of results reads are copied, with zeros around them, into a
// ring that stays in the first-level cache: read where they lie, rows whose length is a power of two would take one
// another's place there. A gradient of the input is such a sum too, over the output's gradient, with zeros between its
// pixels where the stride is more than 1, and the kernel turned.
//
// An output, or an element of the input's gradient, is one chain of multiply-adds from zero in the order of the rows and
// columns of the kernel, or backwards. The gradient of the weights sums the rows of an image, then images, then groups of
// images.
#pragma once
#include "window.h"

namespace fewbit {
namespace FEWBIT_ISA {

enum { BLOCK = 32 };  // channels, the same for all instruction sets

// An image's pixels, of which some channels are read: place `shift + apart * i` of a row or column of the ring's space holds
// pixel i, and zeros lie elsewhere.
struct Spread {
  const float* pixels;
  int64_t height, width, channels;
  int64_t apartHeight, apartWidth, shiftHeight, shiftWidth;
};

// A kernel's last rows of a spread image, row v in slot v modulo the kernel's height; a pixel has BLOCK floats.
struct Ring {
  float* rows;
  int64_t height, width, packed;  // rows before `packed` were copied

  float* row(int64_t v) const { return rows + v % height * width * BLOCK; }
};

// Copies `n` channels of a pixel, and zeros up to a whole vector.
static inline void copyChannels(const float* from, int64_t n, float* to) {
  for (int64_t c = 0; c < n; c += LANES) store(to + c, loadChannels(from + c, n - c));
}

static void packRow(const Spread& s, int64_t v, int64_t n, const Ring& ring) {
  float* const to = ring.row(v);
  const int64_t place = v - s.shiftHeight;
  const bool isThere = place >= 0 && place % s.apartHeight == 0 && place / s.apartHeight < s.height;
  // Pixels of the image within the ring's width.
  const int64_t first = s.shiftWidth < 0 ? ceilDivide(-s.shiftWidth, s.apartWidth) : 0;
  const int64_t last = s.shiftWidth < ring.width ? least(s.width, (ring.width - 1 - s.shiftWidth) / s.apartWidth + 1) : 0;
  if (!isThere || last <= first) {
    memset(to, 0, ring.width * BLOCK * sizeof(float));
    return;
  }
  const int64_t begin = s.shiftWidth + first * s.apartWidth, end = s.shiftWidth + (last - 1) * s.apartWidth + 1;
  if (s.apartWidth > 1) {
    memset(to, 0, ring.width * BLOCK * sizeof(float));
  } else {
    memset(to, 0, begin * BLOCK * sizeof(float));
    memset(to + end * BLOCK, 0, (ring.width - end) * BLOCK * sizeof(float));
  }
  const float* from = s.pixels + (place / s.apartHeight * s.width + first) * s.channels;
  float* at = to + begin * BLOCK;
  for (int64_t i = first; i < last; i++, from += s.channels, at += s.apartWidth * BLOCK) copyChannels(from, n, at);
}

// Makes the rows from v to the kernel's end lie in the ring.
static inline void packTo(const Spread& s, int64_t v, int64_t n, Ring& ring) {
  for (ring.packed = most(ring.packed, v); ring.packed < v + ring.height; ring.packed++) packRow(s, ring.packed, n, ring);
}

// A block's weights, [tap][BLOCK], the last tap first where they are turned.
static void packWeights(const float* weights, int64_t taps, int64_t channels, int64_t n, bool isTurned, float* to) {
  for (int64_t tap = 0; tap < taps; tap++)
    copyChannels(weights + (isTurned ? taps - 1 - tap : tap) * channels, n, to + tap * BLOCK);
}

// `pixels` neighbouring results of one vector of channels.
template <int pixels>
static inline void sumTaps(const Ring& ring, int64_t v, int64_t column, int64_t stride, int64_t kernelWidth,
                           const float* weights, int64_t n, int64_t channels, float* to) {
  Vec sums[pixels];
#pragma GCC unroll 4
  for (int k = 0; k < pixels; k++) sums[k] = splat(0);
  for (int64_t i = 0; i < ring.height; i++) {
    const float* p = ring.row(v + i) + column * stride * BLOCK;
    for (int64_t j = 0; j < kernelWidth; j++, p += BLOCK, weights += BLOCK) {
      const Vec tap = load(weights);
#pragma GCC unroll 4
      for (int k = 0; k < pixels; k++) sums[k] = madd(load(p + k * stride * BLOCK), tap, sums[k]);
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < pixels; k++) storeChannels(to + k * channels, n, sums[k]);
}

template <int pixels>
static inline void sumPixels(Ring ring, int64_t v, int64_t column, int64_t stride, int64_t kernelWidth, const float* weights,
                             int64_t n, int64_t channels, float* to) {
  float* const rows = ring.rows;
  for (int64_t c = 0; c < n; c += LANES) {
    ring.rows = rows + c;
    sumTaps<pixels>(ring, v, column, stride, kernelWidth, weights + c, n - c, channels, to + c);
  }
}

// What each of the two sums is, of an image of `g.images`.
struct DepthwiseSum {
  int64_t height, width, channels;  // of results
  int64_t kernelHeight, kernelWidth, strideHeight, strideWidth;
  bool isTurned;
  Spread from;
};

static DepthwiseSum depthwiseSum(const Geometry& g, bool isGradient, const float* from, int64_t image) {
  if (!isGradient) {
    const Spread x = {from + image * g.height * g.width * g.channels,
                      g.height,
                      g.width,
                      g.channels,
                      1,
                      1,
                      g.paddingHeight,
                      g.paddingWidth};
    return {g.outHeight, g.outWidth, g.channels, g.kernelHeight, g.kernelWidth, g.strideHeight, g.strideWidth, false, x};
  }
  const Spread y = {from + image * g.outHeight * g.outWidth * g.channels,
                    g.outHeight,
                    g.outWidth,
                    g.channels,
                    g.strideHeight,
                    g.strideWidth,
                    g.kernelHeight - 1 - g.paddingHeight,
                    g.kernelWidth - 1 - g.paddingWidth};
  return {g.height, g.width, g.channels, g.kernelHeight, g.kernelWidth, 1, 1, true, y};
}

static int64_t ringWidth(int64_t width, int64_t stride, int64_t kernelWidth) { return (width - 1) * stride + kernelWidth; }

// Rows of results, of a block of channels from `c` on.
static void sumRows(DepthwiseSum s, const float* weights, const Range& rows, int64_t c, float* to, float* work) {
  const int64_t n = least(s.channels - c, BLOCK), taps = s.kernelHeight * s.kernelWidth;
  s.from.pixels += c;
  float* const packed = work;
  packWeights(weights + c, taps, s.channels, n, s.isTurned, packed);
  Ring ring = {work + taps * BLOCK, s.kernelHeight, ringWidth(s.width, s.strideWidth, s.kernelWidth), 0};
  for (int64_t row = rows.begin; row < rows.end; row++) {
    const int64_t v = row * s.strideHeight;
    packTo(s.from, v, n, ring);
    float* at = to + row * s.width * s.channels + c;
    int64_t column = 0;
    for (; column + 4 <= s.width; column += 4, at += 4 * s.channels)
      sumPixels<4>(ring, v, column, s.strideWidth, s.kernelWidth, packed, n, s.channels, at);
    for (; column < s.width; column++, at += s.channels)
      sumPixels<1>(ring, v, column, s.strideWidth, s.kernelWidth, packed, n, s.channels, at);
  }
}

// Adds to `taps` neighbouring weights of a row of the kernel the products of a row of the output's gradient and the pixels
// from x on; one vector of channels.
template <int taps>
static inline void addTaps(const float* x, const float* gradient, int64_t columns, int64_t stride, float* to) {
  Vec sums[taps];
#pragma GCC unroll 4
  for (int j = 0; j < taps; j++) sums[j] = load(to + j * BLOCK);
  for (int64_t column = 0; column < columns; column++, x += stride * BLOCK, gradient += BLOCK) {
    const Vec share = load(gradient);
#pragma GCC unroll 4
    for (int j = 0; j < taps; j++) sums[j] = madd(load(x + j * BLOCK), share, sums[j]);
  }
#pragma GCC unroll 4
  for (int j = 0; j < taps; j++) store(to + j * BLOCK, sums[j]);
}

static inline void addKernelRow(const float* x, const float* gradient, int64_t columns, int64_t stride, int64_t taps,
                                float* to) {
  for (; taps >= 4; taps -= 4, x += 4 * BLOCK, to += 4 * BLOCK) addTaps<4>(x, gradient, columns, stride, to);
  if (taps == 3) addTaps<3>(x, gradient, columns, stride, to);
  if (taps == 2) addTaps<2>(x, gradient, columns, stride, to);
  if (taps == 1) addTaps<1>(x, gradient, columns, stride, to);
}

static void addTo(const float* from, int64_t count, float* to) {
  for (int64_t k = 0; k < count; k++) to[k] += from[k];
}

static int64_t tapsOf(const Geometry& g) { return g.kernelHeight * g.kernelWidth; }

// The gradient of the weights of some images and a block of channels, to [tap][channel].
static void sumWeights(const Geometry& g, const float* x, const float* gradient, const Range& images, int64_t c, float* to,
                       float* work) {
  const int64_t n = least(g.channels - c, BLOCK), width = ringWidth(g.outWidth, g.strideWidth, g.kernelWidth);
  const int64_t weights = tapsOf(g) * BLOCK;
  float* const total = work;
  float* const ofImage = total + weights;
  float* const share = ofImage + weights;
  memset(total, 0, weights * sizeof(float));
  for (int64_t image = images.begin; image < images.end; image++) {
    Spread s = depthwiseSum(g, false, x, image).from;
    s.pixels += c;
    Ring ring = {share + g.outWidth * BLOCK, g.kernelHeight, width, 0};
    memset(ofImage, 0, weights * sizeof(float));
    for (int64_t row = 0; row < g.outHeight; row++) {
      const int64_t v = row * g.strideHeight;
      packTo(s, v, n, ring);
      const float* from = gradient + (image * g.outHeight + row) * g.outWidth * g.channels + c;
      for (int64_t column = 0; column < g.outWidth; column++, from += g.channels)
        copyChannels(from, n, share + column * BLOCK);
      for (int64_t i = 0; i < g.kernelHeight; i++)
        for (int64_t at = 0; at < n; at += LANES)
          addKernelRow(ring.row(v + i) + at, share + at, g.outWidth, g.strideWidth, g.kernelWidth,
                       ofImage + i * g.kernelWidth * BLOCK + at);
    }
    addTo(ofImage, weights, total);
  }
  for (int64_t tap = 0; tap < tapsOf(g); tap++)
    for (int64_t at = 0; at < n; at += LANES)
      storeChannels(to + tap * g.channels + at, n - at, load(total + tap * BLOCK + at));
}

static bool isDepthwise(const WindowInstruction& w) { return w.op >= DEPTHWISE; }

// Units are blocks of channels of an image, in bands of rows where there are few of them; of the gradient of the weights,
// blocks of channels of groups of images.
struct DepthwiseCut {
  int64_t blocks, parts;
  Cut cut;
};
static DepthwiseCut cutDepthwise(const WindowInstruction& w) {
  const Geometry& g = w.geometry;
  const int64_t elements = g.images * g.outHeight * g.outWidth * g.channels, blocks = ceilDivide(g.channels, BLOCK);
  if (w.op == DEPTHWISE_FILTER_GRADIENT) {
    const int64_t groups = least(g.images, ceilDivide(MAX_CHUNKS, blocks));
    return {blocks, groups, Cut(blocks * groups, elements)};
  }
  const int64_t rows = w.op == DEPTHWISE ? g.outHeight : g.height, units = g.images * blocks;
  const int64_t bands = least(ceilDivide(MAX_CHUNKS, units), most(rows / 8, 1));
  return {blocks, bands, Cut(units * bands, elements)};
}

static Plan planDepthwise(const WindowInstruction& w) {
  const Geometry& g = w.geometry;
  const DepthwiseCut c = cutDepthwise(w);
  constexpr int64_t pixel = BLOCK * sizeof(float);
  const int64_t taps = tapsOf(g), weights = taps * g.channels;
  if (w.op == DEPTHWISE_FILTER_GRADIENT) {
    const int64_t ring = g.kernelHeight * ringWidth(g.outWidth, g.strideWidth, g.kernelWidth);
    return {2,
            {c.cut.chunks, Cut(weights, weights).chunks},
            c.parts * align64(weights * int64_t(sizeof(float))),
            (2 * taps + g.outWidth + ring) * pixel};
  }
  const DepthwiseSum s = depthwiseSum(g, w.op != DEPTHWISE, nullptr, 0);
  return {1, {c.cut.chunks}, 0, (taps + g.kernelHeight * ringWidth(s.width, s.strideWidth, s.kernelWidth)) * pixel};
}

static void runDepthwise(const WindowInstruction& w, const Memory& memory, const Chunk& chunk) {
  const Geometry& g = w.geometry;
  const DepthwiseCut c = cutDepthwise(w);
  const float *const a = memory.f32(w.a), *const b = memory.f32(w.b);
  float *const out = memory.f32(w.out), *const work = reinterpret_cast<float*>(chunk.work.own);
  if (w.op != DEPTHWISE_FILTER_GRADIENT) {
    for (int64_t unit = c.cut.begin(chunk.index); unit < c.cut.end(chunk.index); unit++) {
      const int64_t image = unit / (c.blocks * c.parts), block = unit / c.parts % c.blocks;
      const DepthwiseSum s = depthwiseSum(g, w.op != DEPTHWISE, a, image);
      const Range rows = part(s.height, c.parts, unit % c.parts);
      sumRows(s, b, rows, block * BLOCK, out + image * s.height * s.width * s.channels, work);
    }
    return;
  }
  const int64_t weights = tapsOf(g) * g.channels, apart = align64(weights * int64_t(sizeof(float))) / int64_t(sizeof(float));
  float* const sums = reinterpret_cast<float*>(chunk.work.shared);
  if (chunk.phase == 0) {
    for (int64_t unit = c.cut.begin(chunk.index); unit < c.cut.end(chunk.index); unit++) {
      const int64_t group = unit / c.blocks, channel = unit % c.blocks * BLOCK;
      sumWeights(g, a, b, part(g.images, c.parts, group), channel, sums + group * apart + channel, work);
    }
    return;
  }
  const Cut elements(weights, weights);
  const int64_t begin = elements.begin(chunk.index), count = elements.end(chunk.index) - begin;
  memcpy(out + begin, sums + begin, count * sizeof(float));
  for (int64_t group = 1; group < c.parts; group++) addTo(sums + group * apart + begin, count, out + begin);
}

}  // namespace FEWBIT_ISA
}  // namespace fewbit
