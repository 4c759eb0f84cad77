/** Rows that are in sight, of many: TanStack Virtual's core for Preact. */
import type { Range, VirtualItem } from "@tanstack/virtual-core";
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

interface VirtualOptions {
  readonly count: number;
  readonly rowHeight: number;
  /** Height of a head that sticks above the rows. */
  readonly head: number;
  readonly scroller: RefObject<HTMLElement | null>;
  /** A row that stays whether in sight or not: the one with the focus. */
  readonly pinned: number | undefined;
}

export interface Virtual {
  readonly items: readonly VirtualItem[];
  readonly height: number;
  scrollTo(index: number): void;
}

export function useVirtual({ count, rowHeight, head, scroller, pinned }: VirtualOptions): Virtual {
  const [, again] = useState({});
  const options = {
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 8,
    scrollPaddingStart: head,
    paddingStart: 0,
    rangeExtractor: (range: Range) => {
      const rows = defaultRangeExtractor(range);
      if (pinned === undefined || pinned >= count || rows.includes(pinned)) return rows;
      return [...rows, pinned].sort((a, b) => a - b);
    },
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    onChange: () => again({}),
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), []);
  useLayoutEffect(() => virtualizer._willUpdate());
  return {
    items: virtualizer.getVirtualItems(),
    height: virtualizer.getTotalSize(),
    scrollTo: (index) => virtualizer.scrollToIndex(index),
  };
}
