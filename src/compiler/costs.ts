/**
 * The thresholds of the passes. Each was chosen by comparing training steps of LeNet-5, ResNet-20 and VGG-16 at batch
 * 128 (float, QNN 1/1, DoReFa 2/2, XNOR 1/1): instructions, scratch and bytes moved, as `counts.txt` has them.
 */

/**
 * The most values that one map reads, so that its blocks stay in the first-level cache. With 16, ResNet-20's step has
 * 289 instructions instead of 268 (DoReFa 2/2) and moves 1,261 MB instead of 1,212 (QNN); 64 gains nothing.
 */
export const mostMapOperands = 32;

/**
 * The most operations of one map: machine code numbers 128 (`map_values.h`), constants and copies among them. From 48
 * to 120 instructions change by two.
 */
export const mostMapOperations = 96;

/**
 * The number of elements below which sharing an instruction is worth it, whatever values are read. Without it
 * ResNet-20's step has 361 instructions instead of 268 (DoReFa 2/2); 2^16 would save 7 more, and keeps values for
 * longer.
 */
export const smallMap = 1 << 14;

/**
 * The number of channels from which a block is a piece of one row, where the sums of rows and of channels need
 * different orders. None of the compared steps has both sums in one map; the bound is that of the kernels' blocks.
 */
export const wideChannels = 512;

/**
 * The number of elements from which weights are worth an extra instruction, so that they are not kept for long: their
 * gradients are not joined with others, and their values as floats are made where they are read. Without it VGG-16's
 * scratch (DoReFa 2/2) is 409 MB instead of 388; for all weights it would be 365, at 312 instructions instead of 268 in
 * ResNet-20.
 */
export const largeWeights = 1 << 20;

/**
 * The number of elements below which values stay in the caches, so that fewer instructions matter more than fewer
 * bytes. Counting bytes up to 2^20 elements that way moves 1,210 MB instead of 1,198 (ResNet-20, DoReFa 2/2); down to 0
 * it changes nothing there.
 */
export const smallValue = 1 << 14;

/**
 * The number of elements above which even a costly function of a leaf, such as DoReFa's tanh of weights, is recomputed
 * instead of stored: the leaf is in memory anyway. Without it VGG-16's scratch is 515 MB instead of 388, and 3,822 MB
 * are moved instead of 3,567; for smaller ones the time of the function counts.
 */
export const largeValue = 1 << 20;

/** The most operands from which a small value is recomputed: between 1 and 8 two instructions change. */
export const mostCheapOperands = 3;

/**
 * The most operations for which a value of any size is recomputed. With 8, ResNet-20's step moves 1,305 MB instead of
 * 1,198 (DoReFa 2/2) and 1,280 instead of 1,212 (QNN); with 80, 1,204 (QNN), with maps that are twice as long.
 */
export const mostCheapOperations = 24;
